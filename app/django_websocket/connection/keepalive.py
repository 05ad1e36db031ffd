"""The one deadline of a connection: the next ping, the pong to it, or the end of closing."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from gevent import get_hub

from django_websocket.rfc6455.frames import PING_FRAME

from .clientprotocol import heartbeat
from .stream import Stream, StreamOwner
from .timerwheel import wheel_of

__all__ = ["Keepalive"]

#: The part of the interval by which a ping may leave early: the pong to the last one came a moment
#: after it, and only that moment would be missing.
_EARLY = 0.05


class Keepalive:
    """Pings a silent peer (RFC 6455 section 5.5.2), and reports it lost if it does not answer.

    ``interval`` is how many seconds of silence lead to a ping, or None for no pings; ``timeout`` is
    how many seconds the peer then has to send anything.

    Invariant: at most one deadline waits in the timer wheel.
    """

    __slots__ = ("_beat_by", "_heartbeat", "_interval", "_owner", "_pinged", "_slot", "_stream",
                 "_timeout", "_wheel", "pinging")  # fmt: skip

    def __init__(
        self, stream: Stream, owner: StreamOwner, interval: float | None, timeout: float
    ) -> None:
        self._stream = stream
        self._owner = owner
        self._interval = interval
        self._timeout = timeout
        #: When the last ping left, in time.monotonic().
        self._pinged = 0.0
        self._wheel = wheel_of(get_hub())
        #: Where the deadline waits in the wheel.
        self._slot: int | None = None
        #: The heartbeat frame for a script, which cannot see pings. None: it gets no heartbeats.
        self._heartbeat: bytes | None = None
        #: When the next heartbeat is due at the latest, in time.monotonic().
        self._beat_by = 0.0
        self.pinging = False

    def start(self) -> None:
        """The connection is open: ping it from now on."""
        self._stream.alive_at = monotonic()
        if self._interval is not None:
            self.pinging = True
            self._schedule(self._interval, self._check)

    def beat(self) -> None:
        """Send heartbeats, too, from now on: after at most ``interval`` + ``timeout`` each."""
        if self._interval is not None and self.pinging:
            self._heartbeat = heartbeat(self._interval + self._timeout)
            self._beat_by = monotonic() + self._interval
            self._stream.write(self._heartbeat)

    def close_within(self, seconds: float, end: Callable[[], None]) -> None:
        """Stop pinging; call ``end`` in ``seconds`` unless :meth:`stop` is called first."""
        self.pinging = False
        self._schedule(seconds, end)

    def stop(self) -> None:
        """Send no more pings, and cancel the deadline."""
        self.pinging = False
        self._cancel()

    def _cancel(self) -> None:
        if self._slot is not None:
            self._wheel.remove(self._slot, self)
            self._slot = None

    def _schedule(self, seconds: float, action: Callable[[], None]) -> None:
        self._cancel()
        self._slot = self._wheel.add(self._stream.loop, self, seconds, action)

    def _check(self) -> None:
        """Runs in the hub, when the peer may have been silent for too long."""
        try:
            stream = self._stream
            if stream.alive_at < self._pinged and not stream.paused:
                stream.read()  # data that has already arrived ends the silence, however late we are
            if self.pinging:
                self._ping_or_give_up()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._owner._on_error()

    def _ping_or_give_up(self) -> None:
        stream, interval, timeout = self._stream, self._interval or 0, self._timeout
        now, frames = monotonic(), b""
        # We are not reading, so no answer can arrive; while the peer takes our data, it is alive.
        excused = stream.paused and stream.buffer is None
        if stream.alive_at >= self._pinged or excused:
            wait = interval - (now - stream.alive_at)
            if wait <= interval * _EARLY:
                self._pinged, wait, frames = now, min(interval, timeout), PING_FRAME
        else:
            wait = timeout - (now - self._pinged)
            if wait <= 0:
                self._owner._on_lost()
                return
        if self._heartbeat is not None:
            if frames or now >= self._beat_by:
                frames += self._heartbeat
                # With the next ping, or without one if the peer is never silent.
                self._beat_by = now + interval + min(interval, timeout) / 4
            wait = min(wait, self._beat_by - now)
        if frames:
            stream.write(frames)
        if self.pinging:
            self._schedule(wait, self._check)
