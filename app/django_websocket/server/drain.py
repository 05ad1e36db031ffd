"""Close all sockets of a process, at a pace. At the end of a server its views end as well."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import gevent

from . import health
from .server import Engine, WebSocketServer

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket

__all__ = ["KILL_TIME", "close_all", "drain"]

#: Seconds to wait for killed views to end.
KILL_TIME = 1.0

#: Seconds between two batches of closed sockets. The clients reconnect at this rate, each with a
#: handshake for the next process.
_PACE = 0.1
#: How large a batch is, unless that would take too long, and in how many batches a few sockets are
#: closed.
_BATCH = 100
_LEAST_BATCHES = 40


def drain(
    servers: Sequence[WebSocketServer],
    engine: Engine,
    patience: float,
    log: Any,
    notify: Callable[[], None] = lambda: None,
) -> None:
    """Stop accepting, close every socket with 1012 "service restart", and wait for the views.

    Kill views that have not ended after ``patience`` seconds. Call ``notify`` several times a
    second.
    """
    health.draining = True
    for server in servers:
        server.close()
    deadline = time.monotonic() + patience
    close_all(engine, 1012, "service restart", patience, notify)
    while any(len(server.pool) for server in servers):
        if time.monotonic() >= deadline:
            log.warning("Killing views that have not ended in time")
            for server in servers:
                server.pool.kill(block=True, timeout=KILL_TIME)
            return
        for websocket in list(engine.websockets):
            websocket._go_away()  # whose handshake was accepted in the meantime
        notify()
        gevent.sleep(_PACE)


def close_all(
    engine: Engine,
    code: int,
    reason: str,
    patience: float,
    notify: Callable[[], None] = lambda: None,
) -> None:
    """Close the sockets that are open now, within ``patience`` seconds."""
    waiting = list(engine.websockets)
    # After close_timeout we drop a client that does not answer the close frame.
    most = max(1, int((patience - engine.options.close_timeout) / _PACE))
    batches = min(most, max(_LEAST_BATCHES, math.ceil(len(waiting) / _BATCH)))
    size = max(1, math.ceil(len(waiting) / batches))
    for start in range(0, len(waiting), size):
        batch: list[WebSocket] = waiting[start : start + size]
        for websocket in batch:
            websocket._go_away(code, reason)
        notify()
        gevent.sleep(_PACE)
