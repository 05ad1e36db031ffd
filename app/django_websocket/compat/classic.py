"""The parts of ``geventwebsocket.websocket.WebSocket`` that only older code uses."""

from __future__ import annotations

import struct
from typing import Any, NoReturn

from geventwebsocket.utf8validator import Utf8Validator

from django_websocket.rfc6455 import frames

__all__ = ["ClassicFace", "SocketFace"]


class ClassicFace:
    """Names and meanings as in gevent-websocket 0.10.1.

    ``read_frame()`` and ``raw_read()`` would take frames from the connection, so they raise
    ``NotImplementedError``.
    """

    __slots__ = ()

    OPCODE_CONTINUATION = frames.CONTINUATION
    OPCODE_TEXT = frames.TEXT
    OPCODE_BINARY = frames.BINARY
    OPCODE_CLOSE = frames.CLOSE
    OPCODE_PING = frames.PING
    OPCODE_PONG = frames.PONG

    #: Received text has always been validated.
    utf8validate_last = (True, True, 0, 0)

    environ: dict[str, Any]
    handler: Any

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        """The next message, ``str`` or ``bytes``; None once closed. The WebSocket implements it."""
        raise NotImplementedError

    def close(self, code: int = 1000, reason: str | bytes = "") -> None:
        """Close with ``code`` and ``reason``. The WebSocket implements it."""
        raise NotImplementedError

    def _send_frame(self, frame: bytes, header: bytes = b"") -> None:
        raise NotImplementedError

    @property
    def origin(self) -> str | None:
        """The ``Origin`` header (RFC 6454)."""
        return self.environ.get("HTTP_ORIGIN")

    @property
    def protocol(self) -> str | None:
        """The ``Sec-WebSocket-Protocol`` header: what the client offers, as one string."""
        return self.environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL")

    @property
    def version(self) -> str | None:
        """The ``Sec-WebSocket-Version`` header."""
        return self.environ.get("HTTP_SEC_WEBSOCKET_VERSION")

    @property
    def path(self) -> str | None:
        """``PATH_INFO``."""
        return self.environ.get("PATH_INFO")

    @property
    def logger(self) -> Any:
        """The logger of the handler."""
        return self.handler.logger

    @property
    def current_app(self) -> Any:
        """The application's own ``current_app``, or an object whose ``on_close()`` does nothing."""
        return getattr(self.handler.server.application, "current_app", None) or _NoApp()

    @property
    def stream(self) -> ClassicFace:
        """Itself: it has ``handler``, ``read`` and ``write`` like gevent-websocket's stream."""
        return self

    @property
    def utf8validator(self) -> Any:
        """A new validator of gevent-websocket, which decodes UTF-8 piece by piece."""
        return Utf8Validator()

    def validate_utf8(self, payload: bytes) -> None:
        """Raises ``UnicodeError``."""
        payload.decode()

    def send_frame(self, message: str | bytes, opcode: int) -> None:
        """Send one whole frame. Raises ``ConnectionClosed``, and ``ValueError`` for continuations.

        The payload of a close frame is a code and a reason (RFC 6455 section 5.5.1).
        """
        payload = message.encode() if isinstance(message, str) else bytes(message)
        if opcode == frames.CLOSE:
            self.handle_close(None, payload)
        elif opcode == frames.CONTINUATION:
            raise ValueError(
                "send() sends each message as one frame, so there is no message to continue"
            )
        else:
            self._send_frame(frames.encode_frame(opcode, payload))

    def handle_close(self, header: Any, payload: bytes) -> None:
        """Close with the code and reason in ``payload``. Raises ``ValueError``."""
        if payload:
            self.close(struct.unpack("!H", payload[:2])[0], payload[2:])
        else:
            self.close()

    def handle_ping(self, header: Any, payload: bytes) -> None:
        """Send a pong. The library answers pings by itself."""
        self.send_frame(payload, frames.PONG)

    def handle_pong(self, header: Any, payload: bytes) -> None:
        """Do nothing."""

    def read_message(self) -> str | bytes | None:
        """The same as ``receive()``."""
        return self.receive()

    def raw_write(self, data: bytes) -> None:
        """Send bytes that are already a frame. Raises ``ConnectionClosed``."""
        self._send_frame(bytes(data))

    write = raw_write

    def raw_read(self, size: int = -1) -> NoReturn:
        """Raises ``NotImplementedError``: it would take bytes away from the read watcher."""
        raise NotImplementedError("the library reads frames as they arrive: call receive()")

    read = read_frame = raw_read


class _NoApp:
    def on_close(self, *args: Any) -> None:
        pass


class SocketFace:
    """The handler's ``socket`` while a WebSocket is open.

    Its ``fileno()`` is the WebSocket's, so that ``select`` on ``websocket.handler.socket`` waits
    for messages, as its users intend. Everything else is the TCP socket's.
    """

    __slots__ = ("_sock", "fileno")

    def __init__(self, sock: Any, websocket: Any) -> None:
        self._sock = sock
        self.fileno = websocket.fileno

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
