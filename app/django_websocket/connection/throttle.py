"""How fast one client may send: messages and bytes a second."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

from gevent import get_hub

from django_websocket.metrics import counters

from .stream import THROTTLED, Stream
from .timerwheel import wheel_of

if TYPE_CHECKING:
    from django_websocket.options import Options

__all__ = ["Throttle", "ThrottleOwner", "throttle_of"]


#: Seconds that are no excess, but what floating-point sums add.
_ROUNDING = 1e-6


class ThrottleOwner(Protocol):
    """What a throttle calls, in the hub's greenlet or in the view's. No method may wait."""

    def _on_flood(self) -> None:
        """The client has sent more than it may, and the policy is to close."""

    def _read_on(self) -> None:
        """The client may send again."""


class Throttle:
    """Two leaky buckets, which hold ``burst`` seconds of the rates, and what follows when one is
    full: reading stops until it has room, or the socket closes.

    A bucket is kept as the time at which it will be empty.

    Invariant: a deadline waits in the timer wheel exactly while the stream is paused as THROTTLED.
    """

    __slots__ = ("_burst", "_bytes", "_disconnects", "_messages", "_owner", "_per_byte",
                 "_per_message", "_slot", "_stream", "_wheel")  # fmt: skip

    def __init__(self, stream: Stream, owner: ThrottleOwner, options: Options) -> None:
        self._stream = stream
        self._owner = owner
        self._burst = options.receive_burst
        self._disconnects = options.receive_policy == "disconnect"
        #: Seconds by which one message, and one byte, fill their buckets.
        self._per_message = 1 / options.receive_rate if options.receive_rate else 0.0
        self._per_byte = 1 / options.receive_byte_rate if options.receive_byte_rate else 0.0
        #: By total so far: how many, and when the bucket is empty, in time.monotonic().
        self._messages = (0, 0.0)
        self._bytes = (0, 0.0)
        self._wheel = wheel_of(get_hub())
        self._slot: int | None = None

    def charge(self, messages: int, size: int) -> None:
        """The client has now sent so many messages and bytes in all."""
        now = monotonic()
        self._messages = self._filled(self._messages, messages, self._per_message, now)
        self._bytes = self._filled(self._bytes, size, self._per_byte, now)
        excess = max(self._messages[1], self._bytes[1]) - now - self._burst
        if excess > _ROUNDING and self._slot is None:
            self._pause(excess)

    def _filled(
        self, bucket: tuple[int, float], total: int, each: float, now: float
    ) -> tuple[int, float]:
        before, empty_at = bucket
        return total, max(empty_at, now) + (total - before) * each

    def _pause(self, seconds: float) -> None:
        self._stream.pause(THROTTLED)
        self._slot = self._wheel.add(self._stream.loop, self, seconds, self._on_time)
        if self._disconnects:
            self._disconnects = False  # until the client has closed its side, it is only slowed
            counters.flooding_clients_closed += 1
            self._owner._on_flood()
        else:
            counters.clients_throttled += 1

    def _on_time(self) -> None:
        self._slot = None
        self._owner._read_on()

    def stop(self) -> None:
        """Cancel the deadline: the connection has ended."""
        if self._slot is not None:
            self._wheel.remove(self._slot, self)
            self._slot = None


def throttle_of(stream: Stream, owner: ThrottleOwner, options: Options) -> Throttle | None:
    """The throttle that the options ask for, if any."""
    if options.receive_rate is None and options.receive_byte_rate is None:
        return None
    return Throttle(stream, owner, options)
