"""URLs of sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from .conf import get_options

__all__ = ["reverse_websocket"]


def reverse_websocket(
    viewname: str,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    request: HttpRequest | None = None,
    current_app: str | None = None,
) -> str:
    """The URL of a socket, looked up in ``WEBSOCKET_URLCONF`` as Django's ``reverse()`` does.

    It starts with ``WEBSOCKET_SERVER`` where that is set, else with ``ws://`` or ``wss://`` and the
    host of ``request``; without either it is a path. Raises ``NoReverseMatch``.
    """
    options = get_options()
    path = reverse(
        viewname,
        urlconf=options.urlconf,
        args=args,
        kwargs=dict(kwargs) if kwargs else None,
        current_app=current_app,
    )
    if options.server is not None:
        return options.server.rstrip("/") + path
    if request is not None:
        scheme = "wss" if request.is_secure() else "ws"
        return f"{scheme}://{request.get_host()}{path}"
    return path
