"""A handshake and the life of its socket, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, SimpleNamespace
from typing import Any

import gevent
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponseBase
from gevent import monkey
from gevent import socket as gevent_socket

from django_websocket.application.cycle import WebSocketWSGIHandler, close_body
from django_websocket.application.requests import WebSocketRequest
from django_websocket.compat.classic import SocketFace
from django_websocket.conf import get_options
from django_websocket.pubsub.dispatcher import Dispatcher
from django_websocket.rfc6455.handshake import parse
from django_websocket.server.watchdog import where

from .database import Lent, lend, use
from .engine import Engine, EngineStopped, greenlets_of_a_view
from .websocket import RemoteWebSocket

__all__ = ["View"]

#: Seconds between two checks of what a view does.
_LOOK = 0.001

#: Modules around a view, not in it.
_AROUND = (
    "django_websocket.application.life",
    "django_websocket.decorators",
    "django_websocket.events.dispatch",
    "django_websocket.events.views",
)

#: A view in one of these is about to go on: a call of this library, or a query.
_UNDER_WAY = ("django_websocket.", "django.db.")

#: In the middle of reading a channel, with nothing to read.
_READS = (0, 0)

#: Seconds in one call after which a view that uses its socket's descriptor counts as waiting.
_SELECTS = 0.05


class View:
    """Runs from :meth:`start` on. ``environ`` is the handshake's, ``sock`` the server's end.

    It uses the database connections of its maker that :func:`.database.lend` returns.
    """

    def __init__(
        self,
        environ: dict[str, Any],
        sock: socket.socket,
        get_dispatcher: Callable[[], Dispatcher],
        *,
        on_accept: Callable[[], bytes] = bytes,
    ) -> None:
        #: The application's response if it did not accept, else None.
        self.response: HttpResponseBase | None = None
        self.error: BaseException | None = None
        self._environ = environ
        self._get_dispatcher = get_dispatcher
        self._greenlet: Any = None
        self._engine = Engine()
        try:
            self._engine.call(self._open, sock, on_accept)
        except BaseException:
            sock.close()
            self._engine.stop()
            raise
        self._thread = threading.Thread(
            target=self._run, args=(lend(),), name="django-websocket-view", daemon=True
        )

    def start(self) -> None:
        """Begin with the handshake."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it has started and not ended."""
        return self._thread.is_alive()

    @property
    def place(self) -> str:
        """Where the view is: the file, the line and the function, innermost first."""
        return where(self._frame())

    def join(self, seconds: float | None = None) -> None:
        """Wait for its end, at most for that long, if it has started."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def end(self, seconds: float) -> None:
        """Close with 1012, as an ending server does; break the connection after a while."""
        with contextlib.suppress(EngineStopped):
            self.websocket._go_away(1012, "service restart")
        self.join(seconds)
        if self.is_alive:
            self.abort()
            self.join(seconds)

    def wait_until_idle(self, seconds: float, elsewhere: float) -> bool:
        """Wait until it waits for the client, or has ended; not longer than ``seconds``.

        It may also wait for something else, such as ``select()`` or a queue: it is idle if it has
        spent ``elsewhere`` seconds in one call. Returns whether it is idle.
        """
        self.websocket.read_now()
        last = time.monotonic()
        deadline = last + seconds
        spent: dict[tuple[int, int], float] = {}
        while self.is_alive and not self.websocket.waits:
            call = _call(self._frame())
            now = time.monotonic()
            if call is not None:
                spent[call] = spent.get(call, 0.0) + now - last
                enough = min(elsewhere, _SELECTS) if self.websocket.selects else elsewhere
                if call == _READS or spent[call] >= enough:
                    return True
            if now > deadline:
                return False
            last = now
            time.sleep(_LOOK)
        return True

    def abort(self) -> None:
        """Break the connection, which ends the view's wait."""
        with contextlib.suppress(EngineStopped):
            self.websocket._abandon()

    def _frame(self) -> FrameType | None:
        frame: FrameType | None = getattr(self._greenlet, "gr_frame", None)
        if frame is not None or monkey.is_module_patched("threading"):
            return frame
        return sys._current_frames().get(self._thread.ident or 0)

    # In the engine

    def _open(self, sock: socket.socket, on_accept: Callable[[], bytes]) -> None:
        handshake = parse(self._environ)
        self._sock = gevent_socket.socket(sock.family, sock.type, fileno=sock.detach())
        handler = SimpleNamespace()
        self.websocket = RemoteWebSocket(
            self._engine, self._sock, self._environ, handshake, get_options(),
            handler=handler, on_accept=on_accept,
        )  # fmt: skip
        handler.socket = SocketFace(self._sock, self.websocket)
        self._environ["wsgi.websocket"] = self.websocket

    # In its thread

    def _run(self, lent: Lent) -> None:
        self._greenlet = gevent.getcurrent()
        try:
            with greenlets_of_a_view(), use(lent), self._noted_exception():
                self._serve()
        except BaseException as error:  # noqa: BLE001 - it is the test's
            self.error = self.error or error
        finally:
            self._engine.call(self._sock.close)
            self._engine.stop()

    def _serve(self) -> None:
        """The role of the worker's handler."""
        websocket = self.websocket
        try:
            application = _Application(self._get_dispatcher)
            close_body(application(self._environ, lambda *args: None))
            if not websocket.accepted:
                self.response = application.response
            if websocket._life is not None:
                websocket._life.run()
            if websocket.accepted:
                websocket._finish()
        finally:
            websocket._release()

    @contextlib.contextmanager
    def _noted_exception(self) -> Iterator[None]:
        def note(request: HttpRequest, **kwargs: Any) -> None:
            if getattr(request, "websocket", None) is self.websocket:
                self.error = sys.exception()

        got_request_exception.connect(note)
        try:
            yield
        finally:
            got_request_exception.disconnect(note)


class _Application(WebSocketWSGIHandler):
    """Keeps the response: the returned one may be an error tracker's wrapper."""

    response: HttpResponseBase | None = None

    def get_response(self, request: WebSocketRequest) -> HttpResponseBase:  # type: ignore[override]
        self.response = super().get_response(request)
        return self.response


def _call(frame: FrameType | None) -> tuple[int, int] | None:
    """The view's current call, if it may be a wait for something other than the client."""
    inner = frame
    while frame is not None and inner is not None:
        name = frame.f_globals.get("__name__", "")
        if name in _AROUND:
            return id(inner), inner.f_lasti
        if name == "django_websocket.pubsub.reader" and frame.f_code.co_name == "_wait":
            return _READS
        if name.startswith(_UNDER_WAY):
            return None
        frame = frame.f_back
    return None
