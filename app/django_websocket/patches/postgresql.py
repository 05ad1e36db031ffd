"""psycopg waits for PostgreSQL in gevent's own way.

Where gevent has patched ``select``, psycopg does not wait in C, which would block every socket. It
falls back to ``poll()``, and gevent's makes several objects and an event for each query.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import Any, cast

from gevent import get_hub, monkey
from gevent.hub import Waiter

__all__ = ["wait", "wait_in_gevent"]

#: The bits of psycopg's ``Wait`` and ``Ready`` are those of libev's events: 1 to read, 2 to write.
_BOTH = 3

_fallback: Callable[..., Any]


def wait_in_gevent() -> None:
    """From now on psycopg waits by :func:`wait`. Does nothing unless it uses the fallback."""
    global _fallback
    from psycopg import waiting

    chosen = "PSYCOPG_WAIT_FUNC" in os.environ
    if monkey.is_module_patched("select") and waiting.wait is waiting.wait_poll and not chosen:
        _fallback, waiting.wait = waiting.wait, cast(Any, wait)


def wait(
    generator: Generator[int, int, Any],
    fileno: int,
    interval: float = 0.0,
    timeout: float | None = None,
) -> Any:
    """Run what psycopg does with a connection, until it is done; in any greenlet but the hub's.

    Each ``interval`` seconds it looks whether the descriptor has been closed meanwhile, by another
    greenlet. Raises what ``psycopg.waiting.wait()`` raises.
    """
    if timeout is not None or interval <= 0:
        return _fallback(generator, fileno, interval, timeout)
    try:
        wanted = int(next(generator))
        loop: Any = get_hub().loop
        events, timer = loop.io(fileno, wanted), loop.timer(interval, interval)
        try:
            while True:
                ready = _ready(events, timer)
                if not ready:
                    _check_open(fileno)
                again = int(generator.send(ready))
                if again != wanted:
                    events.events = wanted = again
        finally:
            events.close()
            timer.close()
    except StopIteration as end:
        return end.value


def _ready(events: Any, timer: Any) -> int:
    """What the descriptor is ready for, or 0 after the timer's time."""
    waiter: Waiter[int] = Waiter()
    events.start(waiter.switch, pass_events=True)
    timer.start(waiter.switch, 0, update=False)
    try:
        return waiter.get() & _BOTH
    finally:
        events.stop()
        timer.stop()


def _check_open(fileno: int) -> None:
    from psycopg import OperationalError

    try:
        os.fstat(fileno)
    except OSError as error:
        raise OperationalError("the connection was closed by another greenlet") from error
