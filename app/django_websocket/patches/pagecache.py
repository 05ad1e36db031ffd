"""Keep handshakes out of Django's page cache: a page and its socket may share a URL."""

from __future__ import annotations

import functools
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.middleware.cache import FetchFromCacheMiddleware

__all__ = ["keep_out_of_page_cache"]


def keep_out_of_page_cache(request_class: type[HttpRequest]) -> None:
    """Neither answer a request of ``request_class`` from that cache nor store its response.

    This covers ``UpdateCacheMiddleware`` with ``FetchFromCacheMiddleware``, ``CacheMiddleware`` and
    ``cache_page()``: all call the method that is replaced here first, and store nothing for a
    request that it has not seen.
    """
    fetch: Any = FetchFromCacheMiddleware.process_request
    fetch = getattr(fetch, "__wrapped__", fetch)

    @functools.wraps(fetch)
    def process_request(
        self: FetchFromCacheMiddleware, request: HttpRequest
    ) -> HttpResponseBase | None:
        if isinstance(request, request_class):
            return None
        response: HttpResponseBase | None = fetch(self, request)
        return response

    FetchFromCacheMiddleware.process_request = process_request  # type: ignore[method-assign, assignment]
