"""The WebSocket application: Django's own request cycle on a handshake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import django
from django.core.exceptions import PermissionDenied
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, get_resolver
from geventwebsocket.websocket import WebSocket as GeventWebSocket

from .conf import get_options
from .connection import WebSocket
from .database import release_connections, release_when_waiting
from .errors import ImproperSetting
from .origin import origin_allowed
from .pubsub.sockets import Subscriptions
from .stock import StockWebSocket

__all__ = ["WebSocketRequest", "WebSocketResponse", "get_wsgi_websocket_application"]

Socket: TypeAlias = WebSocket | StockWebSocket

logger = logging.getLogger("django_websocket")

#: RFC 6455 section 7.4.1, and 4000 + the HTTP status where a client can act on it.
_CLOSE_CODES = {101: 1000, 401: 4401, 403: 4403, 404: 4404, 429: 4429, 503: 1013}


def get_wsgi_websocket_application() -> WebSocketWSGIHandler:
    """The WSGI application that serves the sockets of ``WEBSOCKET_URLCONF``.

    Set up like Django's ``get_wsgi_application()``; raises :class:`ImproperSetting`.
    """
    django.setup(set_prefix=False)
    if get_options().urlconf is None:
        raise ImproperSetting("WEBSOCKET_URLCONF is not set: name your urlconf module")
    return WebSocketWSGIHandler()


class WebSocketRequest(WSGIRequest):
    """Django's request; ``websocket`` is the socket, or None when it is no handshake.

    Middleware that resolves URLs finds the sockets' urlconf in ``urlconf``, while ``reverse()``
    and ``redirect()`` keep finding pages.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        self.urlconf = get_options().urlconf
        self.websocket: Socket | None = environ.get("wsgi.websocket")


class WebSocketResponse(HttpResponse):
    """What the middleware's response path sees after a socket's life. It goes nowhere."""

    status_code = 101


def upgrade_required(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer a request that is no handshake (RFC 9110 section 15.5.22)."""
    return HttpResponse(
        "This URL speaks WebSocket: connect with a WebSocket client.\n",
        status=426,
        content_type="text/plain; charset=utf-8",
        headers={"Upgrade": "websocket"},
    )


class WebSocketWSGIHandler(WSGIHandler):
    request_class = WebSocketRequest

    def __call__(  # type: ignore[override]
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        socket = _adopt(environ)
        response = super().__call__(environ, start_response)
        if socket is None or not socket.accepted:
            return response
        # No server reads this response, so nobody else would end the request.
        response.close()
        return ()

    def get_response(self, request: WebSocketRequest) -> HttpResponseBase:  # type: ignore[override]
        socket = request.websocket
        if isinstance(socket, WebSocket):
            socket.subscriptions.request = request
        try:
            response = super().get_response(request)
        finally:
            if isinstance(socket, WebSocket):
                socket.subscriptions.close()
        if socket is not None and not socket.accepted and _close_instead(request, response):
            socket.accept()
        if socket is not None and socket.accepted:
            socket.close(_close_code(response))
        else:
            response.headers["Connection"] = "close"
        release_connections()
        return response

    def resolve_request(self, request: WebSocketRequest) -> ResolverMatch:  # type: ignore[override]
        """Find the socket's view, once the request is a handshake that may come in.

        Unlike Django's own, it leaves the thread's urlconf alone: ``login_required`` redirects
        to a page.
        """
        if request.websocket is None:
            match = ResolverMatch(upgrade_required, (), {})
        else:
            _require_allowed_origin(request)
            match = get_resolver(request.urlconf).resolve(request.path_info)
        request.resolver_match = match
        return match

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view as it is: the life of a socket is not one transaction."""
        return view


def _adopt(environ: dict[str, Any]) -> Socket | None:
    socket = environ.get("wsgi.websocket")
    if isinstance(socket, GeventWebSocket):
        socket = environ["wsgi.websocket"] = StockWebSocket(socket)
    if isinstance(socket, WebSocket):
        socket.subscriptions = Subscriptions(socket)
    if socket is not None:
        release_when_waiting(socket)
    return socket


def _require_allowed_origin(request: WebSocketRequest) -> None:
    if not origin_allowed(request):
        origin = request.headers["Origin"]
        logger.warning(
            "Refused a handshake on %s from the origin %r: if the page is yours, add it to "
            "WEBSOCKET_ALLOWED_ORIGINS",
            request.path,
            origin,
        )
        raise PermissionDenied(f"The origin {origin!r} may not open sockets here.")


def _close_instead(request: WebSocketRequest, response: HttpResponseBase) -> bool:
    view = request.resolver_match.func if request.resolver_match else None
    return getattr(view, "websocket_close_instead", False) and _close_code(response) >= 4000


def _close_code(response: HttpResponseBase) -> int:
    """The close code that says what the response would have said."""
    status = response.status_code
    if status in _CLOSE_CODES:
        return _CLOSE_CODES[status]
    if 300 <= status < 400:
        return _CLOSE_CODES[401]  # login_required and its kin redirect
    return 1011 if status >= 500 else 1008
