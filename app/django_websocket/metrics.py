"""What this process counts about its sockets and channels, as plain numbers.

Nothing here knows Django or a library for metrics: :mod:`django_websocket.prometheus` reads the
numbers when Prometheus asks for them, so that counting costs a message next to nothing.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections import Counter, defaultdict
from time import monotonic
from types import TracebackType

__all__ = ["ROUTE", "Counters", "Histogram", "Timed", "counters"]

#: Where the application leaves the route of a handshake in the WSGI environ:
#: ``chat/<slug:room>/``, never the path, of which there is no end.
ROUTE = "django_websocket.route"

#: In seconds, from what Redis takes on the same host to what a caller waits for at most.
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """How many values were at most as large as each bound, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = _BOUNDS) -> None:
        self.bounds = bounds
        #: Between each two bounds; the last one is beyond all of them.
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclasses.dataclass(slots=True)
class Counters:
    """Totals since the process started. Times are in seconds."""

    #: Broadcasts that a full send buffer dropped (``WEBSOCKET_SEND_BUFFER_POLICY``).
    broadcasts_dropped: int = 0
    #: Broadcasts that a later one replaced before they left.
    broadcasts_replaced: int = 0
    #: Broadcasts that were dropped because their encode function was too slow.
    encodings_dropped: int = 0
    #: Sockets that a broadcast closed with 1013, because their send buffer was full.
    slow_clients_closed: int = 0
    #: How often a client was not read for a while, as it sent more than ``WEBSOCKET_RECEIVE_RATE``
    #: or ``WEBSOCKET_RECEIVE_BYTE_RATE`` (``WEBSOCKET_RECEIVE_POLICY``).
    clients_throttled: int = 0
    #: Sockets that were closed with 1008 for the same reason.
    flooding_clients_closed: int = 0
    #: Handshakes that ``WEBSOCKET_HANDSHAKE_RATE`` refused, ...
    handshakes_refused_to_address: int = 0
    #: ... those that ``WEBSOCKET_MAX_SOCKETS_PER_ADDRESS`` refused, ...
    sockets_refused_to_address: int = 0
    #: ... and those that ``WEBSOCKET_MAX_SOCKETS_PER_USER`` refused.
    sockets_refused_to_user: int = 0
    #: Calls that ``WEBSOCKET_MAX_CHANNELS`` refused.
    channels_refused: int = 0

    #: Messages published by this process.
    published: int = 0
    #: Messages received from the broker, however many sockets they went to.
    received: int = 0
    #: Messages handed to sockets.
    delivered: int = 0
    #: Messages from the history that went to sockets and readers which had missed them.
    replayed: int = 0
    #: Gap messages sent to members of channels.
    gaps: int = 0
    #: Histories of channels that were removed because Redis was full.
    histories_dropped: int = 0
    #: How often the broker was lost.
    outages: int = 0
    #: How often a reader in Python was so slow that it went back to the history.
    readers_lagging: int = 0

    #: Of sockets that have ended. The open ones count for themselves.
    messages_received: int = 0
    messages_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0

    #: Database connections that were closed, or went back to their pool.
    database_releases: int = 0

    #: Sockets that have ended, by close code.
    closed: Counter[int] = dataclasses.field(default_factory=Counter)
    #: Handshakes by the status of the answer and the route; status 0: the client got none.
    handshakes: Counter[tuple[int, str]] = dataclasses.field(default_factory=Counter)
    #: From a handshake's first line to its answer, by route.
    handshake_seconds: defaultdict[str, Histogram] = dataclasses.field(
        default_factory=lambda: defaultdict(Histogram)
    )
    #: From a view's taking of a message to its asking for the next one, by route, if anybody
    #: wants to know.
    message_seconds: defaultdict[str, Histogram] = dataclasses.field(
        default_factory=lambda: defaultdict(Histogram)
    )
    #: How late the worker's heartbeats were.
    hub_lag: Histogram = dataclasses.field(default_factory=Histogram)
    #: What calls of the broker took, and which failed, by operation.
    broker_seconds: defaultdict[str, Histogram] = dataclasses.field(
        default_factory=lambda: defaultdict(Histogram)
    )
    broker_errors: Counter[str] = dataclasses.field(default_factory=Counter)


counters = Counters()


class Timed:
    """``with Timed("publish"):`` around a call of the broker."""

    __slots__ = ("_began", "_operation")

    def __init__(self, operation: str) -> None:
        self._operation = operation

    def __enter__(self) -> None:
        self._began = monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        counters.broker_seconds[self._operation].observe(monotonic() - self._began)
        if kind is not None:
            counters.broker_errors[self._operation] += 1
