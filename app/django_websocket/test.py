"""A client for tests of socket views: no server, no event loop, no sleep.

::

    class RoomTest(TestCase):
        def test_echo(self):
            client = WebSocketClient()
            client.force_login(self.user)
            with client.connect("/chat/lobby/") as socket:
                socket.send("hello")
                self.assertEqual(socket.receive(), "hello")

The view runs as under the worker, but in a thread, and the test continues when the view waits, for
the client or in any other call. Within ``TestCase`` both are in one transaction. Logouts and
changes of passwords and permissions close sockets when the test waits for one. Nothing has to be
patched. The connection is the engine's own; a socket pair replaces TCP.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
import weakref
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.db import connections
from django.http import HttpResponseBase
from django.test import Client, RequestFactory, modify_settings
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from .pubsub.process import get_dispatcher
from .serializers.djangojson import dumps
from .serializers.jsontext import loads, not_a_message
from .testing.database import in_memory
from .testing.liveserver import WebSocketLiveServerThread, WebSocketServer
from .testing.sessions import SessionEvents
from .testing.view import View

__all__ = ["LiveServer", "WebSocketClient", "WebSocketLiveServerTestCase", "WebSocketSession"]

#: Seconds that a view may take for what the test waits for.
TIMEOUT = 5.0

#: Seconds in one call after which a view counts as waiting for something other than the client.
_ELSEWHERE = 0.5

#: Seconds that a view has to reach its next wait, before the test continues.
_SOON = 1.0


class WebSocketClient(Client):
    """Django's test client with sockets. Cookies, ``login()`` and ``force_login()`` are Django's.

    With ``raise_request_exception``, the default, an exception of the view is raised in the test.
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

        Raises ``TypeError`` if ``subprotocols`` is not a list of names.
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
        if session.response is not None:  # assertRedirects() and similar methods use these
            vars(session.response).update(client=self, request=environ)
        return session


class WebSocketSession:
    """One handshake and, if it was accepted, its socket. Closes at the end of ``with``."""

    def __init__(
        self, environ: dict[str, Any], protocol: ClientProtocol, *, raise_exceptions: bool
    ) -> None:
        #: The application's response if it did not accept, else None.
        self.response: HttpResponseBase | None = None
        self._protocol = protocol
        self._raise_exceptions = raise_exceptions
        self._events: deque[Any] = deque()
        #: Messages that came before the reply of a request.
        self._messages: deque[str | bytes] = deque()
        self._numbers = itertools.count(1)
        self._ended = False
        self._sessions = SessionEvents()
        self._sessions.obey()
        self._sock, theirs = socket.socketpair()
        self._view = View(environ, theirs, get_dispatcher)
        self._server = self._view.websocket
        weakref.finalize(self, _leave, self._sock, self._view, self._sessions)
        self._view.start()
        if self._next_event(TIMEOUT) is None:
            self._finish(TIMEOUT)
            self.response = self._view.response
        elif not self._view.wait_until_idle(TIMEOUT, _ELSEWHERE):
            error = self._timeout(f"the view has not waited for anything within {TIMEOUT:g} s")
            self._abort()
            raise error

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
        """The code in the view's close frame (RFC 6455 section 7.4); None before it arrives."""
        return self._protocol.close_rcvd.code if self._protocol.close_rcvd else None

    @property
    def close_reason(self) -> str:
        """The reason in the view's close frame."""
        return self._protocol.close_rcvd.reason if self._protocol.close_rcvd else ""

    def send(self, message: str | bytes) -> None:
        """Send a text or a binary message. Raises ``AssertionError`` if none can be sent."""
        if self._protocol.state is not State.OPEN:
            raise AssertionError(self._not_open()) from self._view.error
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        elif isinstance(message, bytes | bytearray | memoryview):
            self._protocol.send_binary(message)
        else:
            raise not_a_message(message)
        self._flush()
        self._settle()

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text, as a view's ``send_json()`` writes it."""
        self.send(dumps(value))

    def receive(self, timeout: float = TIMEOUT) -> str | bytes | None:
        """The next message; None if the view has closed the socket.

        Raises ``TimeoutError`` after ``timeout`` seconds, and what the view raised.
        """
        if not self.accepted:
            raise AssertionError(self._not_open())
        return self._messages.popleft() if self._messages else self._next_message(timeout)

    def _next_message(self, timeout: float) -> str | bytes | None:
        parts: list[bytes] = []
        text = False
        while (frame := self._next_event(timeout)) is not None:
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                text = text or frame.opcode is Opcode.TEXT
                parts.append(bytes(frame.data))
                if frame.fin:
                    message = b"".join(parts)
                    self._settle()
                    return message.decode() if text else message
        self._finish(timeout)
        return None

    def receive_json(self, timeout: float = TIMEOUT) -> Any:
        """The value of the next message, which is JSON text.

        Raises ``AssertionError`` if the view closed instead, the errors of :meth:`receive`, and
        :class:`~django_websocket.errors.InvalidJSON`.
        """
        message = self.receive(timeout)
        if message is None:
            raise AssertionError(f"expected JSON, but {self._not_open()}")
        return loads(message)

    def request(
        self,
        event: str,
        fields: Mapping[str, Any] | None = None,
        timeout: float = TIMEOUT,
    ) -> dict[str, Any]:
        """Send an event, and wait for the answer of its handler: ``{"data": …}``, or
        ``{"error": {"code": …, "message": …, "fields": {…}}}``.

        Messages that come before it are left for :meth:`receive`. Raises as
        :meth:`receive_json` does.
        """
        number = f"test-{next(self._numbers)}"
        data = {**(fields or {}), "type": event}
        self.send_json({"type": "ws.request", "id": number, "data": data})
        while (message := self._next_message(timeout)) is not None:
            found = loads(message) if f'"{number}"' in str(message) else None
            if isinstance(found, dict) and found.get("type") == "ws.reply":
                return {key: found[key] for key in ("data", "error") if key in found}
            self._messages.append(message)
        raise AssertionError(f"expected a reply, but {self._not_open()}")

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
            self._abort()

    def _next_event(self, timeout: float) -> Any:
        """The 101 or the next frame; None at the end of the stream. Raises ``TimeoutError``."""
        self._sessions.obey()
        deadline = time.monotonic() + timeout
        while not self._events:
            if self._ended:
                return None
            data = self._receive(deadline - time.monotonic(), timeout)
            if data:
                self._protocol.receive_data(data)
            else:
                self._ended = True
                self._protocol.receive_eof()
            self._flush()
            self._events.extend(self._protocol.events_received())
        return self._events.popleft()

    def _receive(self, left: float, timeout: float) -> bytes:
        try:
            self._sock.settimeout(max(left, 0.001))
            return self._sock.recv(65536)
        except TimeoutError:
            raise self._timeout(f"the view has sent nothing for {timeout:g} s") from None
        except OSError:  # the view has broken the connection
            return b""

    def _flush(self) -> None:
        # The view's side may be closed already.
        self._sock.settimeout(TIMEOUT)
        with contextlib.suppress(OSError):
            for data in self._protocol.data_to_send():
                self._sock.sendall(data)

    def _settle(self) -> None:
        """Let the view reach its next wait, if it soon does."""
        self._view.wait_until_idle(_SOON, _SOON / 20)

    def _finish(self, timeout: float) -> None:
        """Wait for the view's end, and raise its exception."""
        self._sock.close()
        self._view.join(timeout)
        if self._view.is_alive:
            error = self._timeout(f"the socket is closed, and the view went on for {timeout:g} s")
            self._abort()
            raise error
        self._sessions.close()
        raised, self._view.error = self._view.error, None
        if raised is not None and self._raise_exceptions:
            raise raised

    def _abort(self) -> None:
        """Break the connection, and give the view time to end."""
        self._sock.close()
        self._view.abort()
        self._view.join(_SOON)
        self._sessions.close()

    def _timeout(self, message: str) -> TimeoutError:
        place = self._view.place
        return TimeoutError(f"{message}; it is at {place}" if place else message)

    def _not_open(self) -> str:
        if not self.accepted:
            return f"the handshake was refused with {self.status_code}"
        reason = f" ({self.close_reason})" if self.close_reason else ""
        return f"the socket is closed, with {self.close_code}{reason}"


class WebSocketLiveServerTestCase(StaticLiveServerTestCase):
    """Django's ``StaticLiveServerTestCase`` with sockets, for Playwright, Selenium and the like.

    ``self.live_server_url`` serves pages, static files and, on the same port, the sockets of
    ``WEBSOCKET_URLCONF``, all with the test's database. See :mod:`.testing.liveserver`.
    """

    server_thread_class = WebSocketLiveServerThread


class LiveServer:
    """The server of :class:`WebSocketLiveServerTestCase` by itself, from now until :meth:`stop`.

    pytest has it as the fixture ``websocket_live_server``.
    """

    def __init__(self) -> None:
        case = WebSocketLiveServerTestCase
        self._hosts = modify_settings(ALLOWED_HOSTS={"append": case.host})
        self._shared = {
            connection.alias: connection
            for connection in connections.all()
            if in_memory(connection)
        }
        self._thread = case.server_thread_class(case.host, case.static_handler, self._shared)
        self._hosts.enable()
        for connection in self._shared.values():
            connection.inc_thread_sharing()
        self._thread.daemon = True
        self._thread.start()
        self._thread.is_ready.wait()
        if self._thread.error:
            self.stop()
            raise self._thread.error

    @property
    def url(self) -> str:
        """Such as ``http://localhost:45123``."""
        return f"http://{self._thread.host}:{self._thread.port}"

    def __str__(self) -> str:
        return self.url

    def stop(self) -> None:
        """Close sockets with 1012, and end."""
        self._thread.terminate()
        for connection in self._shared.values():
            connection.dec_thread_sharing()
        self._hosts.disable()


WebSocketServer.get_dispatcher = staticmethod(get_dispatcher)


def _leave(sock: socket.socket, view: View, sessions: SessionEvents) -> None:
    """Clean up a session that nobody has closed."""
    sock.close()
    view.abort()
    sessions.close()
