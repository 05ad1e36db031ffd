"""A client for the tests of socket views: no server, no event loop, no sleep.

::

    class RoomTest(TestCase):
        def test_echo(self):
            client = WebSocketClient()
            client.force_login(self.user)
            with client.connect("/chat/lobby/") as socket:
                socket.send("hello")
                self.assertEqual(socket.receive(), "hello")

The view runs in a greenlet of the test's own thread, on the test's own database connection, so
what it writes is in the transaction of a ``TestCase``. It has a real connection of the engine;
only the TCP connection is a socket pair. A view that starts threads or calls ``select`` needs
gevent's patched ones, as under the worker: run the tests with ``python -m gevent.monkey manage.py
test``.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import gevent
from django.core.signals import got_request_exception
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponseBase
from django.test import Client, RequestFactory
from gevent import socket as gevent_socket
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from .application.cycle import WebSocketWSGIHandler, close_body
from .application.requests import WebSocketRequest
from .compat.classic import SocketFace
from .conf import get_options
from .connection.websocket import WebSocket
from .pubsub.process import get_dispatcher
from .rfc6455.handshake import parse
from .serializers.djangojson import dumps
from .serializers.jsontext import loads, not_a_message

__all__ = ["WebSocketClient", "WebSocketSession"]

#: Seconds that a view may take for whatever the test waits for.
TIMEOUT = 5.0


class WebSocketClient(Client):
    """Django's test client, and sockets: cookies, ``login()`` and ``force_login()`` are its own.

    With ``raise_request_exception``, as by default, an exception of the view is raised in the test.
    """

    def connect(
        self,
        path: str,
        *,
        subprotocols: list[str] | tuple[str, ...] = (),
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> WebSocketSession:
        """Send a handshake and wait for its answer, accepted or not.

        Raises ``TypeError`` for ``subprotocols`` that are no list of names.
        """
        if isinstance(subprotocols, str):
            raise TypeError(f"expected subprotocols=a list of names, found {subprotocols!r}")
        protocol = ClientProtocol(
            parse_uri("ws://testserver/"),
            origin=origin,  # type: ignore[arg-type]
            subprotocols=list(subprotocols) or None,  # type: ignore[arg-type]
            max_size=None,
        )
        request = protocol.connect()
        protocol.send_request(request)
        protocol.data_to_send()
        factory = RequestFactory(**self.defaults)  # type: ignore[arg-type]
        factory.cookies = self.cookies
        sent = dict(request.headers.raw_items()) | dict(headers or {})
        environ = factory.get(path, headers=sent, **extra).environ
        session = WebSocketSession(environ, protocol, raise_exceptions=self.raise_request_exception)
        if session.response is not None:  # what assertRedirects() and its kin want to know
            vars(session.response).update(client=self, request=environ)
        return session


class WebSocketSession:
    """One handshake and, where it was accepted, its socket. Closes at the end of ``with``."""

    def __init__(
        self, environ: dict[str, Any], protocol: ClientProtocol, *, raise_exceptions: bool
    ) -> None:
        #: What the application answered instead of accepting, else None.
        self.response: HttpResponseBase | None = None
        self._protocol = protocol
        self._raise_exceptions = raise_exceptions
        self._exception: BaseException | None = None
        self._events: deque[Any] = deque()
        self._ended = False
        self._sock, theirs = gevent_socket.socketpair()
        handler = SimpleNamespace()
        self._server = WebSocket(theirs, environ, parse(environ), get_options(), handler=handler)
        handler.socket = SocketFace(theirs, self._server)
        environ["wsgi.websocket"] = self._server
        self._view = gevent.spawn(self._serve, environ, theirs, connections.all())
        if self._next_event(TIMEOUT) is None:
            self._finish(TIMEOUT)

    @property
    def accepted(self) -> bool:
        """Whether the handshake was accepted, and not answered with an HTTP response."""
        return self._server.accepted

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer; 101 when the socket was accepted."""
        return 101 if self.response is None else self.response.status_code

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the view has chosen."""
        return self._protocol.subprotocol

    @property
    def closed(self) -> bool:
        """Whether the view has closed the socket, as far as the test has read."""
        return self._protocol.close_rcvd is not None

    @property
    def close_code(self) -> int | None:
        """The code in the view's close frame (RFC 6455 section 7.4); None before it came."""
        return self._protocol.close_rcvd.code if self._protocol.close_rcvd else None

    @property
    def close_reason(self) -> str:
        """The reason in the view's close frame."""
        return self._protocol.close_rcvd.reason if self._protocol.close_rcvd else ""

    def send(self, message: str | bytes) -> None:
        """Send a text or a binary message. Raises ``AssertionError`` where none can be sent."""
        if self._protocol.state is not State.OPEN:
            raise AssertionError(self._not_open())
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        elif isinstance(message, bytes | bytearray | memoryview):
            self._protocol.send_binary(message)
        else:
            raise not_a_message(message)
        self._flush()

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text, as a view's ``send_json()`` writes it."""
        self.send(dumps(value))

    def receive(self, timeout: float = TIMEOUT) -> str | bytes | None:
        """The next message; None when the view has closed the socket.

        Raises ``TimeoutError`` after ``timeout`` seconds, and what the view raised.
        """
        if not self.accepted:
            raise AssertionError(self._not_open())
        parts: list[bytes] = []
        text = False
        while (frame := self._next_event(timeout)) is not None:
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                text = text or frame.opcode is Opcode.TEXT
                parts.append(bytes(frame.data))
                if frame.fin:
                    message = b"".join(parts)
                    return message.decode() if text else message
        self._finish(timeout)
        return None

    def receive_json(self, timeout: float = TIMEOUT) -> Any:
        """The value of the next message, which is JSON text.

        Raises ``AssertionError`` when the view closed instead, else as :meth:`receive`, and
        :class:`~django_websocket.errors.InvalidJSON`.
        """
        message = self.receive(timeout)
        if message is None:
            raise AssertionError(f"expected JSON, but the view closed with {self.close_code}")
        return loads(message)

    def close(self, code: int = 1000, reason: str = "", timeout: float = TIMEOUT) -> None:
        """Leave, and wait until the view has ended. Raises what the view raised."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
        if self.accepted:
            while self._next_event(timeout) is not None:
                pass
        self._finish(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._view.kill()
            self._sock.close()

    def _serve(
        self, environ: dict[str, Any], sock: Any, shared: Sequence[BaseDatabaseWrapper]
    ) -> None:
        """What the worker's handler does, in the view's greenlet."""
        try:
            with _connections(shared), self._noted_exception():
                application = _Application(get_dispatcher)
                close_body(application(environ, lambda *args: None))
                if not self._server.accepted:
                    self.response = application.response
                if self._server._life is not None:
                    self._server._life.run()
            if self.accepted:
                self._server._finish()
        finally:
            self._server._release()
            sock.close()

    @contextlib.contextmanager
    def _noted_exception(self) -> Iterator[None]:
        def note(request: HttpRequest, **kwargs: Any) -> None:
            if getattr(request, "websocket", None) is self._server:
                self._exception = sys.exception()

        got_request_exception.connect(note)
        try:
            yield
        finally:
            got_request_exception.disconnect(note)

    def _next_event(self, timeout: float) -> Any:
        """The 101 or the next frame; None at the end of the stream. Raises ``TimeoutError``."""
        while not self._events:
            if self._ended:
                return None
            message = f"the view has sent nothing for {timeout} s"
            with gevent.Timeout(timeout, TimeoutError(message)):
                data = self._sock.recv(65536)
            if data:
                self._protocol.receive_data(data)
            else:
                self._ended = True
                self._protocol.receive_eof()
            self._flush()
            self._events.extend(self._protocol.events_received())
        return self._events.popleft()

    def _flush(self) -> None:
        # The view's side may be closed already.
        with contextlib.suppress(OSError):
            for data in self._protocol.data_to_send():
                self._sock.sendall(data)

    def _finish(self, timeout: float) -> None:
        self._sock.close()
        self._view.join(timeout)
        if not self._view.dead:
            self._view.kill()
            raise TimeoutError(f"the socket is closed, and the view went on for {timeout} s")
        error, self._exception = self._exception or self._view.exception, None
        if error is not None and self._raise_exceptions:
            raise error

    def _not_open(self) -> str:
        if not self.accepted:
            return f"the handshake was refused with {self.status_code}"
        return f"the socket is closed, with {self.close_code}"


class _Application(WebSocketWSGIHandler):
    """Keeps the response: what is returned may be the wrapper of an error tracker."""

    response: HttpResponseBase | None = None

    def get_response(self, request: WebSocketRequest) -> HttpResponseBase:  # type: ignore[override]
        self.response = super().get_response(request)
        return self.response


@contextlib.contextmanager
def _connections(shared: Sequence[BaseDatabaseWrapper]) -> Iterator[None]:
    """Let this greenlet use another's connections: under gevent's patching each has its own."""
    for connection in shared:
        connection.inc_thread_sharing()
        connections[connection.alias] = connection
    try:
        yield
    finally:
        for connection in shared:
            connection.dec_thread_sharing()
