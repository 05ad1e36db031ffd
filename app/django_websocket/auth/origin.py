"""The Origin check: which web pages may open a socket.

A browser sends the visitor's cookies with every handshake, whatever page starts it, and CORS does
not apply to WebSockets. Only the Origin header tells your own pages from anyone else's
(RFC 6455 section 10.2).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.handlers.exception import get_exception_response
from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver, get_urlconf
from django.utils.http import is_same_domain
from django.utils.log import log_response

from django_websocket.conf import get_options
from django_websocket.patches.logs import plain

__all__ = ["origin_allowed", "refuse_origin"]

logger = logging.getLogger("django_websocket")

_DEFAULT_PORT = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin_allowed(request: HttpRequest) -> bool:
    """Whether the handshake's Origin may open a socket on this host.

    Allowed are the request's own host, ``WEBSOCKET_ALLOWED_ORIGINS`` and ``CSRF_TRUSTED_ORIGINS``.
    No Origin header means that no browser sent the request.
    """
    header = request.META.get("HTTP_ORIGIN")
    if header is None:
        return True
    allowed = get_options().allowed_origins
    if "*" in allowed or header == f"{request.scheme}://{request.get_host()}":
        return True
    try:
        origin = urlsplit(header)
        return _is_own(origin, request) or _is_listed(
            origin, [*allowed, *settings.CSRF_TRUSTED_ORIGINS]
        )
    except ValueError:  # a port or an IPv6 address that is none
        return False


@login_not_required
def refuse_origin(request: HttpRequest) -> HttpResponse:
    """The view of a refused handshake. It writes the only log line about it."""
    origin = plain(request.META["HTTP_ORIGIN"])
    error = PermissionDenied(f"The origin {origin!r} may not open sockets here.")
    response: HttpResponse = get_exception_response(
        request, get_resolver(get_urlconf()), 403, error
    )
    log_response(
        "Refused a handshake on %s from the origin '%s': if the page is yours, add it to "
        "WEBSOCKET_ALLOWED_ORIGINS",
        plain(request.path),
        origin,
        response=response,
        request=request,
        logger=logger,
    )
    return response


def _is_own(origin: SplitResult, request: HttpRequest) -> bool:
    """Same host and port. A page over http is refused on https, as others can tamper with it.

    The reverse is allowed, as TLS may end at a proxy that does not report it.
    """
    if origin.scheme not in {"http", "https"} or (request.is_secure() and origin.scheme == "http"):
        return False
    own = urlsplit(f"//{request.get_host()}")
    own_port = own.port or _DEFAULT_PORT["https" if request.is_secure() else "http"]
    return origin.hostname == own.hostname and (
        _port(origin) == own_port or (own.port is None and origin.port is None)
    )


def _is_listed(origin: SplitResult, entries: Iterable[str]) -> bool:
    return any(_matches(origin, urlsplit(entry)) for entry in entries)


def _matches(origin: SplitResult, entry: SplitResult) -> bool:
    if origin.scheme != entry.scheme or _port(origin) != _port(entry):
        return False
    host, pattern = origin.hostname or "", entry.hostname or ""
    # "https://*.example.com" means the domain and its subdomains, as in CSRF_TRUSTED_ORIGINS.
    return is_same_domain(host, pattern.removeprefix("*"))


def _port(url: SplitResult) -> int | None:
    return url.port or _DEFAULT_PORT.get(url.scheme)
