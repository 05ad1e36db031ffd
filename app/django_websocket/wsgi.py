"""The WebSocket application: Django's own request cycle on a handshake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from typing import Any, TypeAlias, TypeGuard

import django
from django.contrib.auth.decorators import login_not_required
from django.core.cache import close_caches
from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, get_resolver
from gevent import GreenletExit
from gevent.monkey import is_module_patched
from geventwebsocket.websocket import WebSocket as GeventWebSocket

from .application.warmup import warm_up
from .auth.origin import (
    origin_allowed,
    refuse_origin,
)
from .compat.stock import StockWebSocket
from .conf import get_options
from .connection.websocket import WebSocket
from .database import (
    forget_unchanged_connections,
    release_connections,
    release_when_waiting,
    remember,
    reset_pooled_connections,
)
from .errors import (
    ImproperSetting,
    UnsupportedByWorker,
)
from .patches.caches import share_cache_clients
from .patches.eventloops import give_each_greenlet_its_own
from .patches.logs import log_refusals_in_one_line
from .patches.pagecache import keep_out_of_page_cache
from .pubsub.subscriptions import Subscriptions
from .server.exits import ends_the_greenlet

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

    Set up like Django's ``get_wsgi_application()``; raises :class:`ImproperSetting`, and whatever
    the urlconf raises when it is imported.
    """
    django.setup(set_prefix=False)
    if get_options().urlconf is None:
        raise ImproperSetting("WEBSOCKET_URLCONF is not set: name your urlconf module")
    log_refusals_in_one_line(WebSocketRequest)
    reset_pooled_connections()
    application = WebSocketWSGIHandler()
    if is_module_patched("threading"):  # in a worker, the stock one as well
        give_each_greenlet_its_own()
        share_cache_clients(remember)
        warm_up()
    return application


class WebSocketRequest(WSGIRequest):
    """Django's request; ``websocket`` is the socket, or None when it is no handshake.

    Middleware that resolves URLs finds the sockets' urlconf in ``urlconf``, while ``reverse()``
    and ``redirect()`` keep finding pages. Tracers name a request before Django resolves its URL:
    they find the route in ``resolver_match``, and need not look for it among the pages.
    """

    #: Whether a refusal of the view's is a close code.
    close_instead = False
    #: The urlconf and the path that ``resolver_match`` was found for, before the middleware.
    matched: tuple[Any, str] | None = None

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


@login_not_required
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

    def load_middleware(self, is_async: bool = False) -> None:
        keep_out_of_page_cache(WebSocketRequest)
        super().load_middleware(is_async)

    def __call__(  # type: ignore[override]
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        socket = _adopt(environ)
        # Error trackers and tracers wrap this method: what it returns may be theirs, and end their
        # account of the request when it is read and closed. The worker does that with any response.
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

    def get_response(self, request: WebSocketRequest) -> HttpResponseBase:  # type: ignore[override]
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
            response = _answer_to(request, error)
        response = _checked(request, response)
        if socket is not None:
            response = self._decide(socket, request, response)
        if socket is None or not socket.accepted:
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
        if _accepts(response):
            socket._life = _Life(self, socket, response.websocket_request, response)
        elif socket.accepted:
            if response.streaming:
                response.streaming_content = ()  # type: ignore[attr-defined] # nobody gets it
            socket._life = _Life(self, socket, request, response)
        return response

    def end(self, socket: Socket, code: int) -> None:
        if isinstance(socket, WebSocket):
            socket._subscriptions.close()
        socket.close(code)
        _release(socket)
        release_when_waiting(None)
        close_caches()

    def resolve_request(self, request: WebSocketRequest) -> ResolverMatch:  # type: ignore[override]
        """Find the socket's view, once the request is a handshake that may come in.

        Unlike Django's own, it leaves the thread's urlconf alone: ``login_required`` redirects
        to a page.
        """
        match: ResolverMatch | None
        if request.websocket is None:
            match = ResolverMatch(upgrade_required, (), {})
        elif not origin_allowed(request):
            match = ResolverMatch(refuse_origin, (), {})
        else:
            match = request.resolver_match
            if match is None or request.matched != (request.urlconf, request.path_info):
                match = get_resolver(request.urlconf).resolve(request.path_info)
            if getattr(match.func, "websocket_close_instead", False):
                request.close_instead = True
        request.resolver_match, request.matched = match, None
        return match

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view as it is: the life of a socket is not one transaction."""
        return view


class _Life:
    """What follows the handshake. Every open socket keeps one: it takes less than a closure.

    A response that does not accept closes the socket instead, once it is complete.
    """

    __slots__ = ("_application", "_code", "_context", "_request", "_run", "_socket", "status")

    def __init__(
        self,
        application: WebSocketWSGIHandler,
        socket: Socket,
        request: WebSocketRequest,
        response: HttpResponseBase,
    ) -> None:
        self._application = application
        self._socket = socket
        self._request = request
        self._run = response.run if _accepts(response) else None
        self._code = 1011 if self._run else _close_code(response)
        #: Error trackers take back what they have set once the handshake is over, and with it what
        #: they would say of an exception: whose request it is.
        self._context: Context | None = copy_context()
        self.status = response.status_code

    def run(self) -> None:
        request, application = self._request, self._application
        self._restore_context()
        forget_unchanged_connections()
        for name in _FOR_THE_HANDSHAKE:
            vars(request).pop(name, None)
        try:
            if self._run is not None:
                self._run()
                self._code = 1000
        except BaseException as error:
            if ends_the_greenlet(error):
                self._code = 1000 if isinstance(error, GreenletExit) else 1011
                raise
            answer = None
            if isinstance(error, Exception):
                answer = application.process_exception_by_middleware(error, request)
            self._code = _close_code(answer or _answer_to(request, error))
        finally:
            self.end()

    def _restore_context(self) -> None:
        context, self._context = self._context, None
        for variable, value in (context or {}).items():
            if variable.get(None) is not value:
                variable.set(value)

    def end(self) -> None:
        """Close the socket, also instead of :meth:`run`."""
        self._application.end(self._socket, self._code)


def _adopt(environ: dict[str, Any]) -> Socket | None:
    socket = environ.get("wsgi.websocket")
    if isinstance(socket, GeventWebSocket):
        socket = environ["wsgi.websocket"] = StockWebSocket(socket)
    if isinstance(socket, WebSocket):
        socket._subscriptions = Subscriptions(socket)
    if socket is not None:
        release_when_waiting(socket)
    return socket


def close_body(body: Iterable[bytes]) -> None:
    """What a WSGI server does with a response when it needs no more of it (PEP 3333)."""
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _release(socket: Socket | None) -> None:
    """Release the database connections of this greenlet, if it has opened any."""
    if socket is None:
        release_connections()
    elif socket._before_wait is not None:
        socket._before_wait()


def _answer_to(request: WebSocketRequest, error: BaseException) -> HttpResponse:
    """Django's own, to what Django expects and to what it does not, such as SystemExit."""
    return response_for_exception(request, error)  # type: ignore[arg-type]


def _checked(request: WebSocketRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The response; an error instead of one that can neither accept the handshake nor answer it."""
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
        return ", after which another answer has to come (RFC 9110 section 15.2)"
    if not (request.websocket and _accepts(response)):
        return (
            " and is not the response of @websocket: a middleware or a decorator has built a new "
            "one from it. Let that return the response it was given where the status is 101"
        )
    if response.websocket_request.websocket is not request.websocket:
        return (
            " and belongs to another request: a middleware or a decorator has kept it. Let that "
            "keep no response whose status is 101"
        )
    return None


def _accept(
    socket: Socket, request: WebSocketRequest, response: HttpResponseBase
) -> HttpResponseBase:
    """Accept the handshake if ``response`` says so. Returns the response that counts."""
    if _accepts(response):
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        if not isinstance(socket, WebSocket):
            cookies = []  # the stock worker has sent the 101 already
        try:
            socket.accept(response.subprotocol, cookies)
        except UnsupportedByWorker as error:
            return response_for_exception(request, error)
    elif not socket.accepted and request.close_instead and _close_code(response) >= 4000:
        socket.accept()
    if not socket.accepted and 200 <= response.status_code < 300:
        logger.warning(
            "The handshake on %s was answered with a page (%s), so no socket opens: "
            "the view needs @websocket, or a middleware has replaced its response",
            request.path,
            response.status_code,
        )
    return response


def _accepts(response: HttpResponseBase) -> TypeGuard[WebSocketResponse]:
    """Whether the handshake is accepted. Middleware may have changed the status."""
    return isinstance(response, WebSocketResponse) and response.status_code == 101


def _expected_match(request: WebSocketRequest) -> ResolverMatch | None:
    """Where the request is going, unless middleware sends it elsewhere."""
    try:
        return get_resolver(request.urlconf).resolve(request.path_info)
    except Exception:  # noqa: BLE001 - resolve_request() meets it again, where Django answers it
        return None


def _close_code(response: HttpResponseBase) -> int:
    """The close code that says what the response would have said."""
    status = response.status_code
    if status in _CLOSE_CODES:
        return _CLOSE_CODES[status]
    if 300 <= status < 400:
        return _CLOSE_CODES[401]  # login_required and its kin redirect
    return 1011 if status >= 500 else 1008
