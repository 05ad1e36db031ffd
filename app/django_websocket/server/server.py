"""gevent's WSGI server, and what the handlers of one worker share."""

from __future__ import annotations

from collections.abc import Callable
from errno import EINVAL, EMFILE, ENFILE
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import gevent
from gevent import Timeout
from geventwebsocket.handler import Client
from gunicorn.workers.ggevent import PyWSGIServer

from . import health
from .addresses import addresses_of
from .loglimit import OnceAMinute
from .sparefile import SpareFile

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket
    from django_websocket.options import Options

__all__ = ["Engine", "Proxies", "WebSocketServer"]

_NO_FILES = "Clients get 503: %s. Raise the limit (ulimit -n, LimitNOFILE, supervisor's minfds)"


class Proxies(Protocol):
    """Knows the trusted proxies: see :mod:`.proxies`."""

    def apply(self, environ: dict[str, Any]) -> None:
        """Set ``REMOTE_ADDR`` and ``wsgi.url_scheme`` to the client's."""


class Engine:
    """``limit`` is how many WebSockets the worker serves; ``on_handshake`` is called for each."""

    def __init__(
        self,
        cfg: Any,
        options: Options,
        proxies: Proxies,
        limit: int,
        on_handshake: Callable[[], None],
    ) -> None:
        self.cfg = cfg
        self.options = options
        self.proxies = proxies
        self.limit = limit
        self.on_handshake = on_handshake
        #: Every handshake that waits for its response, and every open WebSocket.
        self.websockets: set[WebSocket] = set()
        #: The limits of client addresses, if there are any.
        self.addresses = addresses_of(options)
        health.engines.add(self)


def call_on_top(function: Callable[[], None]) -> None:
    """Call ``function`` so that none of its stack stays in memory after it returns.

    CPython keeps a greenlet's frames in chunks of memory. It frees each empty chunk except the
    first, of 16 KiB, and a deep call touches all its pages. This function claims a larger stack
    than that, so everything it calls is in later chunks.
    """
    function()


#: In values of 8 bytes. The chunk's size is a power of two: 31 KiB of it are left for calls.
_STACK_SIZE = 4160

call_on_top.__code__ = call_on_top.__code__.replace(co_stacksize=_STACK_SIZE)


class WebSocketServer(PyWSGIServer):  # type: ignore[misc]
    """pywsgi's server on one listener of the worker."""

    engine: Engine
    _spare: SpareFile | None = None

    @cached_property
    def log_refusal(self) -> OnceAMinute:
        """Logs why the worker itself refuses a handshake."""
        return OnceAMinute(self.log.warning)

    def start(self) -> None:
        """Accept connections. From now on this process serves sockets."""
        health.serves_sockets = True
        self._spare = SpareFile()
        super().start()

    def close(self) -> None:
        """Stop accepting."""
        super().close()
        if self._spare is not None:
            self._spare.close()

    def do_read(self) -> Any:
        """Accept a connection; None if there is none, or if it cannot be served now."""
        try:
            return super().do_read()
        except OSError as error:
            if error.errno in (EMFILE, ENFILE):
                self.log_refusal(_NO_FILES, error.strerror)
                spare = self._spare
                if spare and spare.refuse(super().do_read, encrypted=self.ssl_enabled):
                    return None
            elif error.errno != EINVAL:  # while gunicorn's master refuses connections
                raise
            self.stop_accepting()
            gevent.spawn_later(health.INTERVAL, self._accept_again)
            return None

    def _accept_again(self) -> None:
        if self.started:
            self.start_accepting()

    def do_handle(self, sock: Any, address: Any) -> None:
        """Serve a connection that was just accepted in a greenlet of its own."""
        # gevent makes two more calls, whose C stack every idle connection would keep.
        try:
            self.pool.spawn(self._serve, sock, address)
        except BaseException:
            self.do_close(sock, address)
            raise

    def _serve(self, sock: Any, address: Any) -> None:
        if self.ssl_enabled:
            try:
                sock = self._encrypted(sock)
            except OSError as error:
                self.log.debug("Refused a connection from %s: %s", address, error)
                self.do_close(sock, address)
                return
        handler = self.handler_class(sock, address, self)
        try:
            self._answer(handler, address)
            if handler.detached:
                handler.live(handler.websocket, sock)
        finally:
            self.do_close(sock, address)

    def _answer(self, handler: Any, address: Any) -> None:
        try:
            call_on_top(handler.handle)
        except ConnectionError as error:
            self.log.debug("%s disconnected before the response: %s", address, error)

    def _encrypted(self, sock: Any) -> Any:
        seconds = self.engine.options.handshake_timeout
        with Timeout(seconds, TimeoutError(f"no TLS handshake within {seconds} seconds")):
            return self.wrap_socket(sock, **self.ssl_args)

    @property
    def clients(self) -> dict[Any, Client]:
        """gevent-websocket's register of open sockets, by the peer's address.

        Peers on a unix socket have no address, so their key is the WebSocket itself.
        """
        return {
            websocket.handler.client_address or websocket: Client(
                websocket.handler.client_address, websocket
            )
            for websocket in self.engine.websockets
            if websocket.accepted
        }
