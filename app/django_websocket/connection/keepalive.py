"""How a connection is kept alive, and how it ends (RFC 6455 sections 5.5 and 7).

::

    WAITING ──accept()──► OPEN ──close frame of either side──► CLOSING ──► ENDED
       └───────────────────┴──connection lost──────────────────────────────►┘
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from django_websocket.errors import ConnectionClosed
from django_websocket.rfc6455.frames import PING_FRAME
from django_websocket.rfc6455.protocol import Protocol

from .stream import (
    CHOKED,
    LAGGING,
    Wire,
    logger,
)

if TYPE_CHECKING:
    from django_websocket.options import Options

__all__ = ["CLOSING", "ENDED", "OPEN", "WAITING", "Lifecycle"]

#: The handshake waits for its answer; messages go both ways; a close frame was sent or received;
#: the TCP connection is over. In this order.
WAITING, OPEN, CLOSING, ENDED = range(4)


class Lifecycle(Wire):
    """The part of the WebSocket that has no messages in it."""

    __slots__ = ("_deaf", "_options", "_pinged", "_protocol", "_state", "on_close")

    def __init__(self, sock: Any, options: Options) -> None:
        super().__init__(sock, options.send_buffer_size)
        self._options = options
        self._protocol = Protocol(options.max_message_size, options.receive_queue_size)
        self._state = WAITING
        #: When the last ping left, in time.monotonic().
        self._pinged = 0.0
        #: Nobody wants messages any more.
        self._deaf = False
        #: Called once when the connection closes, in whatever greenlet closes it: it must not wait.
        self.on_close: Callable[[], None] | None = None

    # What the WebSocket does about its messages.

    def _catch_up(self) -> None:
        """Take what has been left unread."""
        raise NotImplementedError

    def _stop_receiving(self) -> None:
        """Forget what nobody wants any more."""
        raise NotImplementedError

    def _show_ready(self) -> None:
        """Let :meth:`fileno` say whether ``receive()`` would wait."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._state >= CLOSING

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame of either side, 1006 without one, None while open."""
        return self._protocol.close_code

    @property
    def close_reason(self) -> str:
        return self._protocol.close_reason

    def go_away(self, code: int = 1012, reason: str = "") -> None:
        """Close, but let the view have what the client sent before it knew."""
        if self._state == OPEN:
            self._protocol.close(code, reason)
            self._follow()

    def finish(self) -> None:
        """Close with 1000 if still open, and wait until the client has closed its side too."""
        if self._state == OPEN:
            self._close(1000, "")
        while self._state != ENDED:
            self._wait()

    def _close(self, code: int, reason: str) -> None:
        self._protocol.close(code, reason)
        self._deaf = True
        self._stop_receiving()
        self._follow()
        self._catch_up()

    def _follow(self) -> None:
        """Send what the protocol has to say, and follow it when it closes."""
        protocol = self._protocol
        if protocol.replies:
            replies, protocol.replies = protocol.replies, []
            self._write(b"".join(replies))
        if self._buffered is not None and self._buffered.size > self._limit:
            # Pings are answered, but not without end for a client that reads no answers.
            self._pause(CHOKED)
        if not protocol.closing or self._state == ENDED:
            return
        first = self._state == OPEN
        self._state = CLOSING
        if protocol.finished:
            # RFC 6455 section 5.5.1: "The server MUST close the underlying TCP connection
            # immediately". Unless the peer has said that it is done, it may have sent more: that
            # is thrown away, up to the end of the stream.
            self._resume(LAGGING)
            self._shut_down_soon()
            if protocol.peer_is_done and self._buffered is None:
                self._end()
                return
        if first and self._state == CLOSING:
            self._schedule(self._options.close_timeout, self._end)
        self._show_ready()
        self._wake()
        self._report_close()

    def _keep_alive(self) -> None:
        """Ping a silent peer; end the connection when it has not answered in time."""
        try:
            if not self._paused:
                self._on_readable()  # what is already here is no silence, however late we are
            if self._state != OPEN:
                return
            interval, timeout = self._options.ping_interval, self._options.ping_timeout
            now = monotonic()
            # Who is not being read cannot answer; what has been sent tells as long as it moves.
            excused = self._paused and self._buffered is None
            if interval is None:
                return
            if self._heard >= self._pinged or excused:
                silent = now - self._heard
                if silent < interval:
                    self._schedule(interval - silent, self._keep_alive)
                    return
                self._pinged = now
                self._write(PING_FRAME)
                if self._state == OPEN:
                    self._schedule(min(interval, timeout), self._keep_alive)
            elif now - self._pinged < timeout:
                self._schedule(timeout - (now - self._pinged), self._keep_alive)
            else:
                self._lost()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._failed()

    def _lost(self) -> None:
        self._protocol.feed_eof()
        self._end()

    def _failed(self) -> None:
        logger.exception("%r failed", self)
        try:
            self._protocol.close(1011)
            self._write(b"".join(self._protocol.replies))
        finally:
            self._lost()

    def _end(self) -> None:
        """The connection is over, as far as we are concerned."""
        self._state = ENDED
        self._protocol.feed_eof()
        self._stop()
        self._show_ready()
        self._wake()
        self._report_close()

    def _report_close(self) -> None:
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()

    def _closed_error(self) -> ConnectionClosed:
        return ConnectionClosed(self.close_code or 1006, self.close_reason)
