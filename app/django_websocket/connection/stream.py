"""The bytes of one TCP connection: a watcher reads them, and writing never waits.

Every byte leaves by :meth:`Stream.write`, or straight by the transport while nothing waits in the
send buffer. Neither lets the hub run, so frames of different greenlets cannot interleave.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Hashable
from time import monotonic
from typing import Any, Protocol

from gevent import get_hub

from .sendbuffer import SendBuffer
from .transport import TLS, nonblocking

__all__ = ["BUSY", "CHOKED", "INBOX_FULL", "LARGE_READ_SIZE", "READ_SIZE", "THROTTLED", "Stream",
           "StreamOwner"]  # fmt: skip

logger = logging.getLogger("django_websocket")

#: Bytes of one read: the most that is read from one connection before others get their turn.
READ_SIZE = 131072
#: The same within a large message, where fewer system calls save more than a seventh of the time.
LARGE_READ_SIZE = 262144

#: Why a connection is not being read: its inbox is full, ...
INBOX_FULL = 1
#: ... or the client does not read our replies, ...
CHOKED = 2
#: ... or it has used up its time, and the rest of its data waits for a later turn, ...
BUSY = 4
#: ... or the client sends more than it may.
THROTTLED = 8

_READABLE, _WRITABLE = 1, 2


class StreamOwner(Protocol):
    """What a stream calls, in the hub's greenlet or in the writer's. No method may wait."""

    def _on_data(self, data: bytes) -> None:
        """The peer has sent ``data``, which is not empty."""

    def _on_lost(self) -> None:
        """The connection is broken, or the peer has closed its side of it."""

    def _on_room(self) -> None:
        """Bytes have left the send buffer."""

    def _on_error(self) -> None:
        """A callback has raised the exception that is now being handled."""


class Stream:
    """One socket with its watchers and its send buffer.

    ``limit`` is the size of the send buffer in bytes, above which :meth:`has_room` is false.

    Invariants: there is a send buffer exactly while a write watcher empties it; the read watcher is
    active exactly while ``paused`` is 0, from :meth:`start_reading` to :meth:`stop`.
    """

    __slots__ = (
        "_owner",
        "_reader",
        "_shut_down",
        "_sock",
        "_writer",
        "alive_at",
        "buffer",
        "bytes_received",
        "bytes_sent",
        "limit",
        "loop",
        "paused",
        "read_size",
        "transport",
    )

    def __init__(self, sock: Any, limit: int, owner: StreamOwner) -> None:
        self.loop = get_hub().loop
        self._sock = sock
        self._owner = owner
        self.transport = nonblocking(sock)
        self.limit = limit
        #: READ_SIZE or LARGE_READ_SIZE.
        self.read_size = READ_SIZE
        #: What the kernel has not taken yet.
        self.buffer: SendBuffer | None = None
        #: INBOX_FULL, CHOKED, BUSY and THROTTLED, as bits.
        self.paused = 0
        #: When the peer last gave a sign of life, in time.monotonic(): the loop's own time is the
        #: wall clock's, which may be set.
        self.alive_at = 0.0
        self.bytes_received = 0
        self.bytes_sent = 0
        self._reader: Any = None
        self._writer: Any = None
        self._shut_down = False

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return isinstance(self.transport, TLS)

    # Reading

    def start_reading(self) -> None:
        """Start reading, also again after the last reason to pause has gone."""
        if self._reader is None:
            self._reader = self.loop.io(self._sock.fileno(), _READABLE)
        if not self.paused:
            self._reader.start(self.read)

    def pause(self, reason: int) -> None:
        """Stop reading for ``reason``, one bit of ``paused``."""
        self.paused |= reason
        if self._reader is not None:
            self._reader.stop()

    def resume(self, reason: int) -> None:
        """Drop a reason to pause; reading goes on when none is left."""
        if self.paused & reason:
            self.paused &= ~reason
            if not self.paused and self._reader is not None:
                self._reader.start(self.read)

    def read(self) -> None:
        """Take what has arrived. Runs in the hub: it neither waits nor runs a view's code."""
        try:
            try:
                data = self.transport.recv(self.read_size)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self.alive_at = monotonic()
                self.bytes_received += len(data)
                self._owner._on_data(data)
            else:
                self._owner._on_lost()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._owner._on_error()

    # Writing

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit into the send buffer, or it is empty."""
        buffer = self.buffer
        return buffer is None or buffer.size + size <= self.limit

    def write(self, data: bytes, header: bytes = b"", tag: Hashable = None) -> None:
        """Send, or keep what the kernel does not take yet. Never waits, never raises.

        ``header`` and ``data`` are one frame, sent without a copy if the kernel has room. A frame
        with a ``tag`` may be dropped before it leaves.
        """
        if self.buffer is not None:
            self.buffer.append(header + data, tag=tag)
            return
        transport = self.transport
        try:
            sent = transport.sendmsg((header, data)) if header else transport.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._owner._on_lost()
            return
        self.bytes_sent += sent
        if sent <= len(header):
            self.keep(header + data, sent, tag)
        elif sent < len(header) + len(data):
            self.keep(data, sent - len(header), tag)

    def keep(self, frame: bytes, sent: int, tag: Hashable) -> None:
        """Keep the rest of ``frame``, of which ``sent`` bytes have left, for the kernel."""
        self.buffer = buffer = SendBuffer()
        buffer.append(frame, sent=sent, tag=tag)
        self._hold(buffer)
        self._writer = self.loop.io(self._sock.fileno(), _WRITABLE)
        self._writer.start(self._on_writable)

    def _hold(self, buffer: SendBuffer) -> None:
        """Protect a frame that has left in part from being dropped."""
        if self.encrypted:
            buffer.hold(TLS.BEGUN)

    def _on_writable(self) -> None:
        try:
            buffer = self.buffer
            if buffer is None:
                return
            try:
                sent = self.transport.send(buffer.chunk()) if buffer else 0
            except BlockingIOError:
                self._hold(buffer)
                return
            except OSError:
                self._owner._on_lost()
                return
            buffer.sent(sent)
            self._hold(buffer)
            self.bytes_sent += sent
            # The kernel had no room and has some now, so the peer has acknowledged data.
            self.alive_at = monotonic()
            if not buffer:
                self._stop_writing()
            if buffer.size <= self.limit:
                self.resume(CHOKED)
            self._owner._on_room()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._owner._on_error()

    def _stop_writing(self) -> None:
        self.buffer = None
        self._writer.stop()
        self._writer.close()
        self._writer = None
        if self._shut_down:
            self._half_close()

    # The end

    def shut_down(self) -> None:
        """Signal the end of the stream to the peer once everything has been sent."""
        if not self._shut_down:
            self._shut_down = True
            if self.buffer is None:
                self._half_close()

    def _half_close(self) -> None:
        # Closing at once could reset the connection, and the peer might never see our last data.
        # So we close when the peer has closed its side, or at the close timeout.
        try:
            self.transport.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            if self._writer is None:
                self._writer = self.loop.io(self._sock.fileno(), _WRITABLE)
                self._writer.start(self._half_close)
            return
        except OSError:
            self._owner._on_lost()
        if self._writer is not None:
            self._writer.stop()

    def stop(self) -> None:
        """Release the socket, which the handler closes. Idempotent."""
        for watcher in (self._reader, self._writer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reader = self._writer = self.buffer = None

    @property
    def released(self) -> bool:
        """Whether :meth:`release` has been called."""
        return self._sock is None

    def release(self) -> None:
        """Forget the socket, which may be closed from now on."""
        self._sock = None
