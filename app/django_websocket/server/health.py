"""The state of this worker process, for a readiness probe.

A process without a WebSocket worker has no heartbeats, and is never late.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any
from weakref import WeakSet

from django_websocket.metrics import counters

__all__ = ["INTERVAL", "beat", "draining", "engines", "hub_lag", "serves_sockets"]

#: Seconds between two heartbeats.
INTERVAL = 0.25

#: Whether the worker is closing its sockets before it ends.
draining = False

#: Whether this process serves sockets.
serves_sockets = False

#: The engines of this process; a worker has one.
engines: WeakSet[Any] = WeakSet()

#: How late the heartbeats of the last ten seconds were, in seconds.
_late: deque[float] = deque(maxlen=int(10 / INTERVAL))
_last: float | None = None


def beat() -> float:
    """Called every :data:`INTERVAL` seconds by the worker. Returns how late it is, in seconds."""
    global _last
    late = _overdue()
    _late.append(late)
    counters.hub_lag.observe(late)
    _last = time.monotonic()
    return late


def hub_lag() -> float:
    """The longest that the hub was blocked within the last ten seconds, in seconds."""
    return max(_overdue(), *_late) if _late else 0.0


def _overdue() -> float:
    return max(0.0, time.monotonic() - _last - INTERVAL) if _last is not None else 0.0
