"""One request on one TCP connection: read it, ask the application, become a WebSocket."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from gevent import GreenletExit, Timeout, get_hub
from gevent.pywsgi import Input
from geventwebsocket.handler import Client
from geventwebsocket.handler import WebSocketHandler as GeventWebSocketHandler
from gunicorn.workers.ggevent import PyWSGIHandler

from django_websocket.compat.classic import SocketFace
from django_websocket.connection.scheduler import scheduler_of
from django_websocket.connection.transport import nonblocking
from django_websocket.connection.websocket import WebSocket
from django_websocket.errors import ConnectionClosed
from django_websocket.metrics import ROUTE, counters
from django_websocket.rfc6455.handshake import VERSION, BadHandshake, Handshake, is_handshake, parse

from . import exits, health
from .accesslog import LoggedResponse, log_access, websocket_atoms
from .requesthead import HeadTooLarge, RequestHead, read_head

__all__ = ["WebSocketHandler"]

Header = tuple[str, str]

#: Seconds after which a client may try again if the worker was full.
_RETRY_AFTER = "5"

_FULL = (
    "this worker serves its maximum of %s sockets; raise --worker-connections or "
    "WEBSOCKET_MAX_CONNECTIONS, or add a worker"
)

#: How many characters of a client's text are logged.
_LONGEST = 200

_UNDECIDED = "the application has neither accepted the WebSocket nor sent a response"

_NAKED = "status %s without websocket.accept(): a WSGI middleware or the application has set it"

#: What the handler of an open WebSocket needs to know.
_KEPT = (
    "application",
    "client_address",
    "detached",
    "environ",
    "path",
    "response_length",
    "server",
    "started",
    "status",
    "websocket",
)

#: Status codes whose responses have no body.
_BODILESS = (204, 304)

_NO_BODY = Input(io.BufferedReader(io.BytesIO()), 0)


class WebSocketHandler(GeventWebSocketHandler, PyWSGIHandler):  # type: ignore[misc]
    """gevent-websocket's handler, which answers a handshake only when the application has.

    Any other response is the application's own and ends the connection: a kept-alive connection
    would count as busy while the worker drains.
    """

    websocket: WebSocket | None = None
    #: Whether a WebSocket lives on after the handshake's stack is gone: see :meth:`live`.
    detached = False
    #: What the application has answered, such as ``200 OK``.
    status_line = ""

    # pywsgi's own, which it declares nowhere.
    socket: Any
    rfile: Any
    headers: Any
    wsgi_input: Any
    headers_sent: bool
    response_headers: Any = ()

    def __init__(self, sock: Any, address: Any, server: Any) -> None:
        #: When the request began, in time.monotonic(): pywsgi's own times are the wall clock's.
        self.started = time.monotonic()
        self._deadline: Any = None
        self._source: _Source | None = _Source(sock, self._start_deadline)
        super().__init__(sock, address, server, io.BufferedReader(self._source))

    # The request

    def handle(self) -> None:
        """Serve one TCP connection. The handshake's deadline ends with it at the latest."""
        try:
            super().handle()
        finally:
            self._cancel_deadline()

    def _start_deadline(self) -> None:
        seconds = self.server.engine.options.handshake_timeout
        self._deadline = Timeout.start_new(
            seconds, TimeoutError(f"the request did not arrive within {seconds} seconds")
        )

    def _cancel_deadline(self) -> None:
        if self._source is not None:
            self._source.before_wait = None
        if self._deadline is not None:
            self._deadline.close()
            self._deadline = None

    def read_request(self, raw_requestline: str) -> bool:
        """Parse the request line and the header fields; False if they are not a request.

        Raises :class:`HeadTooLarge` for a line longer than gunicorn's ``limit_request_line``.
        """
        limit = self.server.engine.cfg.limit_request_line
        if limit and len(raw_requestline) > limit + 2:
            raise HeadTooLarge(f"the request line is longer than {limit} bytes")
        self.started = time.monotonic()
        complete: bool = super().read_request(raw_requestline)
        self._cancel_deadline()
        return complete

    def MessageClass(self, rfile: Any, *args: Any) -> RequestHead:  # noqa: N802 - pywsgi's name
        """Read the header fields within gunicorn's limits; pywsgi calls it like a class."""
        cfg = self.server.engine.cfg
        return read_head(rfile, cfg.limit_request_fields, cfg.limit_request_field_size)

    def _headers(self) -> Iterator[Header]:
        # What get_environ() makes the environ of. pywsgi's own, which no option replaces, would
        # want the raw lines.
        head: RequestHead = self.headers
        return head.environ_items()

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        status = "400 Bad Request"
        if isinstance(ex, TimeoutError):
            status = "408 Request Timeout"
        elif isinstance(ex, HeadTooLarge):
            status = "431 Request Header Fields Too Large"
        self.logger.debug("Refused a request from %s: %s", self.client_address, ex)
        answer = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        return status, answer.encode()

    def get_environ(self) -> dict[str, Any]:
        """The WSGI environ, with the client that a trusted proxy names."""
        environ: dict[str, Any] = super().get_environ()
        self.server.engine.proxies.apply(environ)
        if not is_handshake(environ):
            # pywsgi passes the bare connection on if any upgrade is offered, such as h2c.
            environ["wsgi.input"], environ["wsgi.input_terminated"] = self.wsgi_input, True
        return environ

    # The answer

    def run_application(self) -> None:
        """Call the application: for a handshake with a WebSocket in the environ, or plainly."""
        # After the open sockets, and a few at a time: only the backlog bounds a crowd of
        # handshakes, and each takes a millisecond or more.
        hub = get_hub()
        scheduler_of(hub).give_way(hub)
        if not is_handshake(self.environ):
            self._run_plain()
            return
        engine = self.server.engine
        try:
            handshake = parse(self.environ)
        except BadHandshake as error:
            self._log_refusal(str(error))
            self._refuse(error.status, str(error), error.headers)
            return
        full = len(engine.websockets) >= engine.limit
        if full:
            self._log_refusal(_FULL % engine.limit)
        if health.draining or full:
            self._refuse_for_now("503 Service Unavailable", "No room here.")
            return
        refusal = engine.addresses.refusal(self.environ) if engine.addresses is not None else None
        if refusal is not None:
            self._log_refusal(refusal)
            self._refuse_for_now("429 Too Many Requests", "Too many sockets.")
            return
        engine.on_handshake()
        self._run_websocket(handshake)

    def _run_plain(self) -> None:
        PyWSGIHandler.run_application(self)
        # Discard an unread body for a bounded time; otherwise the response could be lost.
        # Its read() would first ask for a body that the client withholds (100-continue).
        seconds = self.server.engine.options.handshake_timeout
        with Timeout(seconds, False):  # type: ignore[arg-type]
            self.wsgi_input._discard()
        self.wsgi_input = _NO_BODY

    def _run_websocket(self, handshake: Handshake) -> None:
        websocket = self.websocket = WebSocket(
            self.socket,
            self.environ,
            handshake,
            self.server.engine.options,
            handler=self,
            on_accept=self._take_over,
        )
        sock, self.socket = self.socket, SocketFace(self.socket, websocket)
        self.environ["wsgi.websocket"] = websocket
        self.environ["wsgi.websocket_version"] = VERSION
        self.environ["wsgi.input"] = io.BytesIO()
        self.server.engine.websockets.add(websocket)
        if self.server.engine.addresses is not None:
            self.server.engine.addresses.add(self.environ, websocket)
        try:
            self._run_guarded(websocket, partial(PyWSGIHandler.run_application, self))
            if not websocket.accepted and not self.status:
                raise RuntimeError(_UNDECIDED)
            if websocket._life is not None:
                # Only the socket is to be kept alive, without the stack that is on it here.
                self.detached, self.socket = True, None
            elif websocket.accepted:
                websocket._finish()
        finally:
            if not self.detached:
                self._release(websocket, sock)

    def _run_guarded(self, websocket: WebSocket, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            if not websocket.accepted or exits.ends_the_greenlet(error):
                raise
            if not (isinstance(error, ConnectionClosed) and websocket.closed):
                self._log_exception()
                websocket.close(1011)
            if websocket._life is not None:
                websocket._life.end()
                websocket._life = None

    def live(self, websocket: WebSocket, sock: Any) -> None:
        """Run the WebSocket, after the stack of its handshake is gone."""
        # pywsgi's account of the handshake is a large dictionary, of which this is still needed.
        self.__dict__ = {name: vars(self)[name] for name in _KEPT}
        self.socket = SocketFace(sock, websocket)
        try:
            life, websocket._life = websocket._life, None
            if life is not None:
                self._run_guarded(websocket, life.run)
            websocket._finish()
        finally:
            self._release(websocket, sock)
            self._log_access()

    def _release(self, websocket: WebSocket, sock: Any) -> None:
        self.server.engine.websockets.discard(websocket)
        _count_ended(websocket)
        if websocket._before_wait is not None:
            websocket._before_wait()  # it was killed
        websocket._release()
        self.socket = sock
        self.environ["wsgi.websocket"] = None

    def _take_over(self) -> bytes:
        """The application accepts: from now on the TCP connection is the WebSocket's."""
        if self.headers_sent:
            raise RuntimeError(
                "it is too late to accept the WebSocket: the HTTP response has begun"
            )
        if self._source is not None:
            self._source.closed_for_reading = True
        early = bytes(self.rfile.peek())
        # An idle connection does not need these: the read buffer alone is 8 KiB.
        self.rfile = self._source = self.headers = None
        self.wsgi_input = _NO_BODY
        self.status, self.code = b"101", 101
        self.response_headers = []
        self.headers_sent = self.close_connection = True
        self._count_handshake(101)
        return early

    @property
    def _accepted(self) -> bool:
        return self.websocket is not None and self.websocket.accepted

    def _log_refusal(self, reason: str) -> None:
        path = ascii(self.path.partition("?")[0][:_LONGEST])
        self.server.log_refusal(
            "Refused a handshake on %s: %s", path, ascii(reason[:_LONGEST])[1:-1]
        )

    def _refuse_for_now(self, status: str, sentence: str) -> None:
        self._refuse(status, sentence, [("Retry-After", _RETRY_AFTER)])

    def _refuse(self, status: str, sentence: str, headers: Iterable[Header] = ()) -> None:
        body = f"{sentence}\n".encode()
        fields = [
            *headers,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        self.start_response(status, fields)
        self.write(body)

    def start_response(
        self, status: str, headers: Iterable[Header], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Begin the response (PEP 3333). Raises ``RuntimeError`` for a status 1xx."""
        if self._accepted:
            self._check_late(status, exc_info)
            return self.write
        if status.startswith("1"):  # not a final response: the client would wait for one
            raise RuntimeError(_NAKED % status[:3])
        ours = {"connection"} | ({"content-length"} if int(status[:3]) in _BODILESS else set())
        fields = [(name, value) for name, value in headers if name.lower() not in ours]
        # RFC 9110 section 7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option".
        upgrade = any(name.lower() == "upgrade" for name, _ in fields)
        fields.append(("Connection", "Upgrade, close" if upgrade else "close"))
        PyWSGIHandler.start_response(self, status, fields, exc_info)
        self.status_line = status
        self.close_connection = True
        return self.write

    def _check_late(self, status: str, exc_info: Any) -> None:
        """Raise if somebody sends another response after the client has got the 101."""
        if exc_info:
            raise exc_info[1]
        life = self.websocket._life if self.websocket is not None else None
        if life is not None and life.status != int(status[:3]):
            raise RuntimeError(
                f"the handshake is accepted, but a WSGI middleware has set the status to {status!r}"
            )

    @property
    def _bodiless(self) -> bool:
        # RFC 9110 section 6.4.1: "Responses to the HEAD request method never include content […]
        # All 1xx (Informational), 204 (No Content), and 304 (Not Modified) responses do not".
        return self.code in _BODILESS or self.command == "HEAD"

    def finalize_headers(self) -> None:
        """Complete the header fields of an HTTP response."""
        super().finalize_headers()
        if self._bodiless:
            self.response_use_chunked = False  # not even the last chunk follows

    def write(self, data: bytes) -> None:
        """Send a part of an HTTP response; ignore data after an accepted handshake."""
        if not self._accepted:
            super().write(b"" if self._bodiless else data)

    def process_result(self) -> None:
        """Send the response; of one to HEAD only its header fields, even if it has no end."""
        if self.command != "HEAD":
            super().process_result()
            return
        next(iter(self.result), b"")  # a generator calls start_response() in its first step
        self.write(b"")

    # Errors and logs

    @property
    def logger(self) -> Any:
        """gunicorn's."""
        return self.server.log

    @property
    def active_client(self) -> Client:
        """What gevent-websocket lists in ``server.clients``: the address and the socket."""
        return Client(self.client_address, self.websocket)

    def handle_error(self, t: Any, v: Any, tb: Any) -> None:
        """Log what the application raised; answer 500 unless the socket was accepted."""
        if exits.exiting and isinstance(v, SystemExit):
            raise v
        if not issubclass(t, GreenletExit):
            self._log_exception()
        self.close_connection = True
        if not (self._accepted or self.response_length):
            with suppress(OSError):  # the client may have left
                self._refuse("500 Internal Server Error", "Internal Server Error")

    def _log_exception(self) -> None:
        self.logger.error("Error handling request %s", self.path, exc_info=sys.exc_info())

    def log_request(self) -> None:
        """Called when pywsgi thinks that the response is complete."""
        if not self._accepted and self.environ is not None and is_handshake(self.environ):
            self._count_handshake(abs(self.code or 0))
        if not self.detached:
            self._log_access()

    def _count_handshake(self, status: int) -> None:
        route = self.environ.get(ROUTE, "")
        counters.handshakes[status, route] += 1
        counters.handshake_seconds[route].observe(time.monotonic() - self.started)

    def _log_access(self) -> None:
        log = self.server.log
        if not log.access_log_enabled:
            return
        environ = self.environ
        sent = self.response_length
        seconds = time.monotonic() - self.started
        websocket = self.websocket
        if websocket is not None and websocket.accepted:
            environ = environ | websocket_atoms(websocket, seconds)
            sent = websocket.bytes_sent
        # pywsgi negates the code of a response that is cut off, and replaces the status.
        status = self.status_line if (self.code or 0) < 0 else self.status
        log_access(log, environ, LoggedResponse(status, self.response_headers, sent), seconds)


def _count_ended(websocket: WebSocket) -> None:
    if not websocket.accepted:
        return
    counters.closed[websocket.close_code or 1006] += 1
    counters.messages_received += websocket.messages_received
    counters.messages_sent += websocket.messages_sent
    counters.bytes_received += websocket.bytes_received
    counters.bytes_sent += websocket.bytes_sent


class _Source(io.RawIOBase):
    """The TCP connection, as the request's reader sees it.

    ``before_wait`` is called once, if only a part of the request has arrived.
    """

    def __init__(self, sock: Any, before_wait: Callable[[], None]) -> None:
        self._sock = sock
        self._transport = nonblocking(sock)
        self.before_wait: Callable[[], None] | None = before_wait
        self.closed_for_reading = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """None, which means "nothing yet", once somebody else reads the connection.

        ``BufferedReader.peek()`` then returns what is buffered and does not wait for more.
        """
        if self.closed_for_reading:
            return None
        if self.before_wait is not None:
            try:
                data = self._transport.recv(len(buffer))
            except BlockingIOError:
                self.before_wait()
                self.before_wait = None
            else:
                buffer[: len(data)] = data
                return len(data)
        return int(self._sock.recv_into(buffer))
