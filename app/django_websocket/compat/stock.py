"""Our socket's interface on gevent-websocket's stock worker.

Its handler has already sent the 101 when Django sees the request, so a refusal can only be a close
frame, and whatever needs our engine raises :class:`~django_websocket.errors.UnsupportedByWorker`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.websocket import WebSocket as GeventWebSocket

from django_websocket.errors import ConnectionClosed, UnsupportedByWorker
from django_websocket.rfc6455.protocol import check_close
from django_websocket.serializers.jsontext import Dumps, dumps, loads, not_a_message

__all__ = ["StockWebSocket"]


class StockWebSocket:
    """Wraps a ``geventwebsocket.websocket.WebSocket``, which has all that is not defined here."""

    accepted = True
    offered_subprotocols: tuple[str, ...] = ()
    subprotocol: str | None = None

    def __init__(self, wrapped: GeventWebSocket) -> None:
        self._wrapped = wrapped
        # The wrapped object forgets its environ when it closes.
        self.environ: dict[str, Any] = wrapped.environ
        self.origin: str | None = wrapped.origin
        self.path: str | None = wrapped.path
        self.protocol: str | None = wrapped.protocol
        self.version: str | None = wrapped.version
        self.handler = wrapped.handler
        self.close_code: int | None = None
        self.close_reason = ""
        #: Serialises a value to JSON text. The application sets Django's.
        self._dumps: Dumps = dumps
        self._before_wait: Callable[[], None] | None = None
        #: See our own WebSocket.
        self._observer: Any = None
        self._life: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return bool(self._wrapped.closed)

    def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Does nothing: the worker has accepted already.

        Raises :class:`UnsupportedByWorker` for a subprotocol or headers, which it cannot send.
        """
        if subprotocol is not None or tuple(headers):
            raise UnsupportedByWorker("accept() with a subprotocol or headers")

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        """The next message, or None once the socket is closed.

        Raises :class:`UnsupportedByWorker` for a timeout: the stock worker reads with a blocking
        call, which would lose what it has read if it were interrupted.
        """
        if timeout is not None:
            raise UnsupportedByWorker("receive(timeout=…)")
        observer = self._observer
        if observer is not None:
            observer.done()
        if self.closed:
            return None
        if self._before_wait is not None:
            self._before_wait()
        try:
            message = self._wrapped.receive()
        except WebSocketError:  # the client left without a close frame
            message = None
        if message is None:
            self._ended(1006 if not self.closed else 1005, "")
            return None
        found = message if isinstance(message, str) else bytes(message)
        if observer is not None:
            observer.taken(found)
        return found

    def receive_json(self, timeout: float | None = None) -> Any:
        """The value of the next message, which is JSON text; None for JSON's ``null``.

        Raises :class:`~django_websocket.errors.InvalidJSON`, ``TimeoutError``, and
        :class:`~django_websocket.errors.ConnectionClosed` once closed: :meth:`iter_json` ends then.
        """
        message = self.receive(timeout)
        if message is None:
            raise ConnectionClosed.of(self)
        return loads(message)

    def iter_json(self) -> Iterator[Any]:
        """The values of the messages, which are JSON text, until the connection is closed.

        Raises :class:`~django_websocket.errors.InvalidJSON`, and then is over.
        """
        for message in self:
            yield loads(message)

    def send(
        self, message: str | bytes | bytearray | memoryview, binary: bool | None = None
    ) -> None:
        """Send one message. Raises :class:`ConnectionClosed`.

        Unlike on our worker, two greenlets must not send at the same time.
        """
        if not isinstance(message, str | bytes | bytearray | memoryview):
            raise not_a_message(message)
        try:
            self._wrapped.send(message, binary)
        except WebSocketError as error:
            self._ended(1006, "")
            raise ConnectionClosed.of(self) from error

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text: dates, ``Decimal``, ``UUID``, lazy texts as Django does.

        Raises :class:`ConnectionClosed`, ``TypeError`` for a value of another type, ``ValueError``
        for NaN, infinity and lone surrogates. Both name the place.
        """
        self.send(self._dumps(value))

    def close(self, code: int = 1000, reason: str | bytes = "") -> None:
        """Send a close frame with ``code`` and ``reason``; does nothing once closed.

        Raises ``ValueError`` for a code that may not be sent (RFC 6455 section 7.4) and for a
        reason of more than 123 bytes.
        """
        if self.closed:
            return
        text = reason.decode() if isinstance(reason, bytes) else reason
        check_close(code, text)
        payload = struct.pack("!H", code) + text.encode()
        try:
            # Its own close() drops the code (RFC 6455 section 5.5.1).
            self._wrapped.send_frame(payload, GeventWebSocket.OPCODE_CLOSE)
        except WebSocketError:
            pass  # the client left first
        finally:
            self._ended(code, text)

    def fileno(self) -> int:
        """The TCP socket's. Unlike on our worker, it ignores messages that are already read."""
        return int(self.handler.socket.fileno())

    def subscribe(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises :class:`UnsupportedByWorker`."""
        raise UnsupportedByWorker("subscribe()")

    unsubscribe = subscribe_user = subscribe

    def whisper(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises :class:`UnsupportedByWorker`."""
        raise UnsupportedByWorker("whisper()")

    def enter(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises :class:`UnsupportedByWorker`."""
        raise UnsupportedByWorker("enter()")

    leave = enter

    def watch(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises :class:`UnsupportedByWorker`."""
        raise UnsupportedByWorker("watch()")

    unwatch = watch

    def __iter__(self) -> Iterator[str | bytes]:
        while (message := self.receive()) is not None:
            yield message

    def _ended(self, code: int, reason: str) -> None:
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        self._wrapped.closed = True
