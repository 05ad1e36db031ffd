"""A TCP connection under gevent's hub: a watcher reads it, and nothing that writes ever waits.

Every byte that leaves goes through :meth:`Wire._write`, which does not let the hub run: frames of
different greenlets cannot mix.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Hashable
from time import monotonic
from typing import Any

from gevent import get_hub, getcurrent

from .scheduler import scheduler_of
from .sendbuffer import SendBuffer
from .transport import (
    TLS,
    nonblocking,
)

__all__ = ["BUSY", "CHOKED", "LAGGING", "Wire"]

logger = logging.getLogger("django_websocket")

#: Bytes of one read. What one connection may take of the worker's time before others have a turn.
READ_SIZE = 131072

#: Why a connection is not read for now: its view has enough to do, ...
LAGGING = 1
#: ... or what we have to answer does not get out, ...
CHOKED = 2
#: ... or it has had its time, and what has come of it waits for the next turn.
BUSY = 4

_READABLE, _WRITABLE = 1, 2


class Wire:
    """The base of the WebSocket, which says what bytes mean (the methods without a body here)."""

    __slots__ = (
        "_buffered",
        "_crowded",
        "_heard",
        "_hub",
        "_limit",
        "_loop",
        "_paused",
        "_reader",
        "_scheduler",
        "_shut_down",
        "_sock",
        "_timer",
        "_transport",
        "_waiters",
        "_writer",
        "bytes_received",
        "bytes_sent",
    )

    def __init__(self, sock: Any, limit: int) -> None:
        self._hub = get_hub()
        self._loop = self._hub.loop
        self._scheduler = scheduler_of(self._hub)
        self._sock = sock
        self._transport = nonblocking(sock)
        self._limit = limit
        self._buffered: SendBuffer | None = None
        self._reader: Any = None
        self._writer: Any = None
        self._timer: Any = None
        self._waiters: list[Any] = []  # greenlets
        #: How many greenlets wait for room in the outbound buffer.
        self._crowded = 0
        #: LAGGING, CHOKED and BUSY, as bits.
        self._paused = 0
        self._shut_down = False
        #: When the peer last gave a sign of life, in time.monotonic(): the loop's own time is the
        #: wall clock's, which may be set.
        self._heard = 0.0
        self.bytes_received = 0
        self.bytes_sent = 0

    # What the WebSocket makes of it.

    def _received(self, data: bytes) -> None:
        raise NotImplementedError

    def _lost(self) -> None:
        """The connection is broken, or the peer has closed its side of it."""
        raise NotImplementedError

    def _failed(self) -> None:
        """A watcher's callback raised an exception, which is being handled."""
        raise NotImplementedError

    # Reading

    def _start_reading(self) -> None:
        if self._reader is None:
            self._reader = self._loop.io(self._sock.fileno(), _READABLE)
        self._reader.start(self._on_readable)

    def _pause(self, reason: int) -> None:
        self._paused |= reason
        if self._reader is not None:
            self._reader.stop()

    def _resume(self, reason: int) -> None:
        if self._paused & reason:
            self._paused &= ~reason
            if not self._paused and self._reader is not None:
                self._reader.start(self._on_readable)

    def _on_readable(self) -> None:
        """Runs in the hub, so it must neither wait nor run code of a view."""
        try:
            try:
                data = self._transport.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self._heard = monotonic()
                self.bytes_received += len(data)
                self._received(data)
            else:
                self._lost()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._failed()

    # Writing

    def _write(self, data: bytes, header: bytes = b"", tag: Hashable = None) -> None:
        """Send, or keep what the kernel does not take yet. Never waits, never raises.

        ``header`` goes before ``data`` and is one frame with it, without a copy where the kernel
        has room. What has a ``tag`` may be dropped before it leaves.
        """
        if self._buffered is not None:
            self._buffered.append(header + data, tag=tag)
            return
        transport = self._transport
        try:
            sent = transport.sendmsg((header, data)) if header else transport.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost()
            return
        self.bytes_sent += sent
        if sent < len(header) + len(data):
            self._keep(header + data, sent, tag)

    def _keep(self, frame: bytes, sent: int, tag: Hashable) -> None:
        """Let the rest of ``frame`` wait until the kernel has room."""
        self._buffered = outbound = SendBuffer()
        outbound.append(frame, sent=sent, tag=tag)
        self._hold(outbound)
        self._writer = self._loop.io(self._sock.fileno(), _WRITABLE)
        self._writer.start(self._on_writable)

    def _hold(self, outbound: SendBuffer) -> None:
        """Keep what has begun from being dropped, now that the transport has not taken all."""
        if self._is_encrypted():
            outbound.hold(TLS.BEGUN)

    def _is_encrypted(self) -> bool:
        return isinstance(self._transport, TLS)

    def _on_writable(self) -> None:
        try:
            outbound = self._buffered
            if outbound is None:
                return
            try:
                sent = self._transport.send(outbound.chunk()) if outbound else 0
            except BlockingIOError:
                self._hold(outbound)
                return
            except OSError:
                self._lost()
                return
            outbound.sent(sent)
            self._hold(outbound)
            self.bytes_sent += sent
            # The kernel had no room and has some now: the peer has acknowledged something.
            self._heard = monotonic()
            if not outbound:
                self._stop_writing()
            if outbound.size <= self._limit:
                self._resume(CHOKED)
            if self._crowded:
                self._wake()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._failed()

    def _stop_writing(self) -> None:
        self._buffered = None
        self._writer.stop()
        self._writer.close()
        self._writer = None
        if self._shut_down:
            self._half_close()

    def _shut_down_soon(self) -> None:
        """Say that nothing more will follow, once everything is out."""
        if not self._shut_down:
            self._shut_down = True
            if self._buffered is None:
                self._half_close()

    def _half_close(self) -> None:
        # Closing at once could reset the connection, and the peer might never see what we sent
        # last: it is closed when the peer has closed its side, or at the close timeout.
        try:
            if isinstance(self._transport, TLS):
                self._transport.end()
            self._sock._sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            if self._writer is None:
                self._writer = self._loop.io(self._sock.fileno(), _WRITABLE)
                self._writer.start(self._half_close)
            return
        except OSError:
            self._lost()
        if self._writer is not None:
            self._writer.stop()

    # Waiting

    def _wait(self) -> None:
        """Let the hub run until something has changed. Not for the hub's own greenlet."""
        waiters, waiter = self._waiters, getcurrent()
        waiters.append(waiter)
        try:
            self._scheduler.switch(self._hub)
        except BaseException:  # it was killed, or its time is up
            self._scheduler.forget(waiters, waiter)
            raise

    def _wake(self) -> None:
        """Let every greenlet that waits look again, in the next turn. From any greenlet."""
        if self._waiters:
            self._scheduler.wake(self._waiters, self._loop)

    def _schedule(self, seconds: float, action: Any) -> None:
        """Call ``action`` in the hub; a connection has one deadline at a time."""
        self._cancel()
        self._timer = self._loop.timer(seconds)
        self._timer.start(action)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _stop(self) -> None:
        """Let go of the socket, which is the handler's to close. Idempotent."""
        self._cancel()
        for watcher in (self._reader, self._writer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reader = self._writer = self._buffered = None
