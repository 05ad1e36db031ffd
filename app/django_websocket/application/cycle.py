"""The WebSocket application: Django's own request cycle on a handshake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponseBase
from django.urls import ResolverMatch, get_resolver, set_urlconf
from geventwebsocket.websocket import WebSocket as GeventWebSocket

from django_websocket.auth.origin import origin_allowed, refuse_origin
from django_websocket.compat.stock import StockWebSocket
from django_websocket.connection.websocket import WebSocket
from django_websocket.database import release_connections, release_when_waiting
from django_websocket.errors import UnsupportedByWorker
from django_websocket.metrics import ROUTE
from django_websocket.patches.logs import plain
from django_websocket.patches.pagecache import keep_out_of_page_cache
from django_websocket.pubsub.dispatcher import Dispatcher
from django_websocket.pubsub.subscriptions import Subscriptions
from django_websocket.serializers.djangojson import dumps
from django_websocket.server import health
from django_websocket.server.exits import ends_the_greenlet
from django_websocket.server.loglimit import OnceAMinute
from django_websocket.signals import socket_closed, socket_opened
from django_websocket.urlresolvers import NO_SOCKETS

from .life import Life
from .misrouted import takes_hop_by_hop, upgrade_required, warn_of_redirect
from .observers import at_handshake, observer_of
from .requests import Socket, WebSocketRequest, accepts, answer_to, close_code

__all__ = ["WebSocketWSGIHandler", "close_body"]

logger = logging.getLogger("django_websocket")
_log_no_sockets = OnceAMinute(logger.warning)

_ASGI = (
    "an ASGI server has called this application, which is a WSGI application: start gunicorn with "
    "--worker-class django_websocket.worker.WebSocketWorker"
)


class WebSocketWSGIHandler(WSGIHandler):
    """Two steps: the whole request cycle decides the handshake, and then the socket lives.

    The middleware has finished before the socket's life begins. So it does not keep a request's
    resources for hours, and its response path sees the session as the handshake left it.
    """

    request_class = WebSocketRequest

    def __init__(self, get_dispatcher: Callable[[], Dispatcher]) -> None:
        self._get_dispatcher = get_dispatcher
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the project's middleware, after making page caches ignore handshakes."""
        keep_out_of_page_cache(WebSocketRequest)
        super().load_middleware(is_async)

    def __call__(  # type: ignore[override]
        self, environ: dict[str, Any], start_response: Callable[..., Any] | None = None
    ) -> Iterable[bytes]:
        """Answer a handshake. Returns the body of a refusal, or nothing.

        On gevent-websocket's own worker, which has already accepted, the view runs in this call.
        """
        if start_response is None:
            raise TypeError(_ASGI)
        socket = self._adopt(environ)
        # Error trackers and tracers wrap this method: the returned response may be theirs, and end
        # their record of the request when it is read and closed. The worker does that.
        body = super().__call__(environ, start_response)
        if not isinstance(socket, StockWebSocket):
            return body
        try:
            for _ in body:
                pass
        finally:
            close_body(body)
        if socket._life is not None:
            socket._life.run()
        return ()

    def _adopt(self, environ: dict[str, Any]) -> Socket | None:
        """The socket of a handshake, set up with what it needs of Django and of this process."""
        socket = environ.get("wsgi.websocket")
        if isinstance(socket, GeventWebSocket):
            socket = environ["wsgi.websocket"] = StockWebSocket(socket)
        if isinstance(socket, WebSocket):
            socket._subscriptions = Subscriptions(socket, self._get_dispatcher)
        if socket is not None:
            socket._dumps = dumps
            health.serves_sockets = True
            release_when_waiting(socket)
        return socket

    def get_response(self, request: WebSocketRequest) -> HttpResponseBase:  # type: ignore[override]
        """Answer a handshake as Django answers a page; a response 101 accepts the socket.

        Without a socket in the request (an ordinary GET) the response is sent as it is.
        """
        socket = request.websocket
        if isinstance(socket, WebSocket):
            socket._subscriptions.request = request
        if socket is not None:
            request.resolver_match = _expected_match(request)
            request.matched = request.urlconf, request.path_info
        try:
            response = super().get_response(request)
        except BaseException as error:
            if ends_the_greenlet(error):
                raise
            response = answer_to(request, error)
        response = _checked(request, response)
        if socket is not None:
            match = request.resolver_match
            request.META[ROUTE] = (match.route if match is not None else None) or ""
            response = self._decide(socket, request, response)
        if (socket is None or not socket.accepted) and takes_hop_by_hop(request.META):
            response.headers["Connection"] = "close"
        _release(socket)
        if socket is not None and not socket.accepted:
            release_when_waiting(None)
        return response

    def _decide(
        self, socket: Socket, request: WebSocketRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Accept the handshake if ``response`` says so. Returns the response that counts."""
        response = _accept(socket, request, response)
        if accepts(response):
            socket._life = Life(self, socket, response.websocket_request, response)
        elif socket.accepted:
            if response.streaming:
                response.streaming_content = ()  # type: ignore[attr-defined] # nobody gets it
            socket._life = Life(self, socket, request, response)
        return response

    def begin(self, socket: Socket, request: WebSocketRequest) -> None:
        """The view begins."""
        socket_opened.send_robust(WebSocket, request=request, websocket=socket)
        socket._observer = observer_of(request, socket)

    def end(self, socket: Socket, code: int, request: WebSocketRequest | None) -> None:
        """Close ``socket`` with ``code``, its subscriptions, and the connections it used.

        ``request`` is that of the view, if it has begun.
        """
        observer, socket._observer = socket._observer, None
        if observer is not None:
            observer.done()
        if isinstance(socket, WebSocket):
            socket._subscriptions.close()
        socket.close(code)
        if request is not None:
            socket_closed.send_robust(WebSocket, request=request, websocket=socket)
        _release(socket)
        release_when_waiting(None)
        close_caches()

    def resolve_request(self, request: WebSocketRequest) -> ResolverMatch:  # type: ignore[override]
        """Find the socket's view, if the request is a handshake that is allowed in.

        Unlike Django's own, it keeps the pages' urlconf in the thread: ``login_required`` redirects
        to one.
        """
        if request.pages_urlconf is not None:
            set_urlconf(request.pages_urlconf)
        match: ResolverMatch | None
        if request.websocket is None:
            match = ResolverMatch(upgrade_required, (), {})
        elif not origin_allowed(request):
            match = ResolverMatch(refuse_origin, (), {})
        else:
            match = request.resolver_match
            if match is None or request.matched != (request.urlconf, request.path_info):
                if request.urlconf == NO_SOCKETS:
                    _warn_of_no_sockets(request)
                match = get_resolver(request.urlconf).resolve(request.path_info)
            if getattr(match.func, "websocket_close_instead", False):
                request.close_instead = True
        request.resolver_match, request.matched = match, None
        for note in at_handshake:
            note(request)
        return match

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view as it is: the life of a socket is not one transaction."""
        return view


def _warn_of_no_sockets(request: WebSocketRequest) -> None:
    _log_no_sockets(
        "The handshake on %s: WEBSOCKET_URLCONF names no sockets for request.urlconf = %r",
        plain(request.path),
        request.pages_urlconf or settings.ROOT_URLCONF,
    )


def close_body(body: Iterable[bytes]) -> None:
    """Close a response as a WSGI server does (PEP 3333)."""
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _release(socket: Socket | None) -> None:
    """Release the database connections of this greenlet, if it has opened any."""
    if socket is None:
        release_connections()
    elif socket._before_wait is not None:
        socket._before_wait()


def _checked(request: WebSocketRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The response, or an error if it can neither accept nor answer the handshake."""
    problem = _problem(request, response)
    if problem is None:
        return response
    response.close()
    try:
        raise RuntimeError(
            f"{type(response).__name__} has the status {response.status_code}{problem}"
        )
    except RuntimeError as error:
        return response_for_exception(request, error)


def _problem(request: WebSocketRequest, response: HttpResponseBase) -> str | None:
    if response.status_code >= 200:
        return None
    if response.status_code != 101:
        return ", which is not a final response (RFC 9110 section 15.2)"
    if not (request.websocket and accepts(response)):
        return (
            " but is not the response of @websocket: a middleware or a decorator has built a new "
            "one from it. Make it return the response it was given if the status is 101"
        )
    if response.websocket_request.websocket is not request.websocket:
        return (
            " but belongs to another request: a middleware or a decorator has kept it. Make it "
            "keep no response whose status is 101"
        )
    return None


def _accept(
    socket: Socket, request: WebSocketRequest, response: HttpResponseBase
) -> HttpResponseBase:
    """Accept the handshake if ``response`` says so. Returns the response that counts."""
    if accepts(response):
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        if not isinstance(socket, WebSocket):
            cookies = []  # the stock worker has sent the 101 already
        try:
            socket.accept(response.subprotocol, cookies)
        except UnsupportedByWorker as error:
            return response_for_exception(request, error)
    elif not socket.accepted and request.close_instead and close_code(response) >= 4000:
        socket.accept()
    if not socket.accepted and 200 <= response.status_code < 300:
        logger.warning(
            "The handshake on %s was answered with a page (%s), so no socket opens: "
            "the view needs @websocket, or a middleware has replaced its response",
            request.path,
            response.status_code,
        )
    if not socket.accepted and response.status_code in (301, 308):
        warn_of_redirect(request, response)
    return response


def _expected_match(request: WebSocketRequest) -> ResolverMatch | None:
    """The match for the request's URL, unless middleware changes it."""
    try:
        return get_resolver(request.urlconf).resolve(request.path_info)
    except Exception:  # noqa: BLE001 - resolve_request() meets it again, where Django answers it
        return None
