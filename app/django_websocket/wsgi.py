"""The WebSocket application: Django's own request cycle on a handshake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from typing import Any, TypeAlias

import django
from asgiref.sync import _restore_context
from django.core.cache import close_caches
from django.core.exceptions import PermissionDenied
from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, get_resolver
from geventwebsocket.websocket import WebSocket as GeventWebSocket

from .conf import get_options
from .connection import WebSocket
from .database import release_connections, release_when_waiting
from .errors import ImproperSetting, UnsupportedByWorker
from .origin import origin_allowed
from .pubsub.sockets import Subscriptions
from .stock import StockWebSocket

__all__ = ["WebSocketRequest", "WebSocketResponse", "get_wsgi_websocket_application"]

#: Attributes of a request that outlive their use. Headers are computed again when asked for; the
#: messages framework would lose what is added once its middleware has stored the rest.
_FOR_THE_HANDSHAKE = ("headers", "_messages")

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
    """The answer that accepts the handshake of ``request``; ``run()`` is the socket's life.

    Of its headers only the cookies go out with the 101: the others are about a body.
    """

    status_code = 101

    def __init__(
        self, request: WebSocketRequest, run: Callable[[], None], subprotocol: str | None = None
    ) -> None:
        super().__init__(content_type="application/octet-stream")
        self.websocket_request = request
        self.run = run
        self.subprotocol = subprotocol


def upgrade_required(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer a request that is no handshake (RFC 9110 section 15.5.22)."""
    return HttpResponse(
        "This URL speaks WebSocket: connect with a WebSocket client.\n",
        status=426,
        content_type="text/plain; charset=utf-8",
        headers={"Upgrade": "websocket"},
    )


class WebSocketWSGIHandler(WSGIHandler):
    """Two steps: the handshake, which the whole request cycle decides, and then the socket's life.

    The middleware has finished when the life begins. So what it holds for the time of a request, it
    does not hold for hours, and its response path sees the session as the handshake left it.
    """

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
        if not isinstance(response, WebSocketResponse):
            self.end(socket, _close_code(response))
            return ()
        life = _Life(self, socket, response.websocket_request, response.run)
        if isinstance(socket, WebSocket):
            socket.life = life.run
        else:
            life.run()
        return ()

    def get_response(self, request: WebSocketRequest) -> HttpResponseBase:  # type: ignore[override]
        socket = request.websocket
        if isinstance(socket, WebSocket):
            socket.subscriptions.request = request
        response = super().get_response(request)
        if socket is not None:
            response = _accept(socket, request, response)
        if socket is None or not socket.accepted:
            response.headers["Connection"] = "close"
        _release(socket)
        return response

    def end(self, socket: Socket, code: int) -> None:
        if isinstance(socket, WebSocket):
            socket.subscriptions.close()
        socket.close(code)
        _release(socket)
        close_caches()

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


class _Life:
    """What follows the handshake. Every open socket keeps one: it takes less than a closure."""

    __slots__ = ("_application", "_context", "_request", "_run", "_socket")

    def __init__(
        self,
        application: WebSocketWSGIHandler,
        socket: Socket,
        request: WebSocketRequest,
        run: Callable[[], None],
    ) -> None:
        self._application = application
        self._socket = socket
        self._request = request
        self._run = run
        self._context: Context | None = copy_context()

    def run(self) -> None:
        if self._context is not None:
            # The language, the time zone and so on, as the middleware has set them.
            _restore_context(self._context)
            self._context = None
        request, application = self._request, self._application
        release_when_waiting(self._socket)
        for name in _FOR_THE_HANDSHAKE:
            vars(request).pop(name, None)
        code = 1011
        try:
            self._run()
            code = 1000
        except Exception as error:  # noqa: BLE001 - it goes where Django's own errors go
            answer = application.process_exception_by_middleware(error, request)
            code = _close_code(answer or response_for_exception(request, error))
        finally:
            application.end(self._socket, code)


def _adopt(environ: dict[str, Any]) -> Socket | None:
    socket = environ.get("wsgi.websocket")
    if isinstance(socket, GeventWebSocket):
        socket = environ["wsgi.websocket"] = StockWebSocket(socket)
    if isinstance(socket, WebSocket):
        socket.subscriptions = Subscriptions(socket)
    if socket is not None:
        release_when_waiting(socket)
    return socket


def _release(socket: Socket | None) -> None:
    """Release the database connections of this greenlet, if it has opened any."""
    if socket is None:
        release_connections()
    elif socket.before_wait is not None:
        socket.before_wait()


def _accept(
    socket: Socket, request: WebSocketRequest, response: HttpResponseBase
) -> HttpResponseBase:
    """Accept the handshake if ``response`` says so. Returns the response that counts."""
    if isinstance(response, WebSocketResponse):
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        if not isinstance(socket, WebSocket):
            cookies = []  # the stock worker has sent the 101 already
        try:
            socket.accept(response.subprotocol, cookies)
        except UnsupportedByWorker as error:
            return response_for_exception(request, error)
    elif not socket.accepted and _close_instead(request, response):
        socket.accept()
    return response


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
