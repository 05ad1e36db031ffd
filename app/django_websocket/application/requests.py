"""The request that is a handshake, and the response that accepts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeGuard

from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse, HttpResponseBase

from django_websocket.compat.stock import StockWebSocket
from django_websocket.connection.websocket import WebSocket
from django_websocket.urlresolvers import sockets_urlconf

__all__ = [
    "Socket",
    "WebSocketRequest",
    "WebSocketResponse",
    "accepts",
    "answer_to",
    "close_code",
]

Socket: TypeAlias = WebSocket | StockWebSocket

#: RFC 6455 section 7.4.1, and 4000 + the HTTP status where a client can act on it.
_CLOSE_CODES = {101: 1000, 401: 4401, 403: 4403, 404: 4404, 429: 4429, 503: 1013}


class WebSocketRequest(WSGIRequest):
    """Django's request; ``websocket`` is the socket, or None if it is not a handshake.

    Middleware that resolves URLs finds the sockets' urlconf in ``urlconf``, while ``reverse()``
    and ``redirect()`` keep finding pages, also if a middleware has set their urlconf. Tracers name
    a request before Django resolves its URL: they find the route in ``resolver_match``, and need
    not search the pages for it.
    """

    #: Whether the view refuses with a close code.
    close_instead = False
    #: What a middleware has set as ``urlconf``.
    pages_urlconf: Any = None
    #: The urlconf and the path that ``resolver_match`` was found for, before the middleware.
    matched: tuple[Any, str] | None = None

    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        self._urlconf = sockets_urlconf(None)
        self.websocket: Socket | None = environ.get("wsgi.websocket")

    @property
    def urlconf(self) -> Any:
        """The sockets' urlconf, also if a middleware has set one of pages."""
        return self._urlconf

    @urlconf.setter
    def urlconf(self, value: Any) -> None:
        self._urlconf = sockets_urlconf(value)
        if value != self._urlconf:
            self.pages_urlconf = value


class WebSocketResponse(HttpResponse):
    """The response that accepts the handshake of ``request``; ``run()`` is the socket's life.

    Of its headers, only the cookies are sent with the 101: the others describe a body.
    """

    status_code = 101

    def __init__(
        self, request: WebSocketRequest, run: Callable[[], None], subprotocol: str | None = None
    ) -> None:
        super().__init__(content_type="application/octet-stream")
        self.websocket_request = request
        self.run = run
        self.subprotocol = subprotocol


def accepts(response: HttpResponseBase) -> TypeGuard[WebSocketResponse]:
    """Whether the handshake is accepted. Middleware may have changed the status."""
    return isinstance(response, WebSocketResponse) and response.status_code == 101


def answer_to(request: WebSocketRequest, error: BaseException) -> HttpResponse:
    """Django's response to an exception, also to unusual ones such as SystemExit."""
    return response_for_exception(request, error)  # type: ignore[arg-type]


def close_code(response: HttpResponseBase) -> int:
    """The close code that corresponds to the response."""
    status = response.status_code
    if status in _CLOSE_CODES:
        return _CLOSE_CODES[status]
    if 300 <= status < 400:
        return _CLOSE_CODES[401]  # login_required and similar decorators redirect
    return 1011 if status >= 500 else 1008
