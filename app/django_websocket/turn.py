"""The views that run next: those of one turn of the hub, one after the other.

What has come for many connections is read first, and then their views run. A processor's caches
hold the kernel's way in or the view's way through Python, but hardly both: switching between
them for each message makes either slower.
"""

from __future__ import annotations

from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

from gevent import get_hub

__all__ = ["Turn", "turn_of"]


class Turn:
    """The greenlets that run before the hub looks for events again."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: deque[list[Any]] = deque()

    def wake(self, waiters: list[Any], loop: Any) -> None:
        """Let every greenlet that is in ``waiters`` by then look again. From any greenlet."""
        if not self._due:
            loop.run_callback(self._run)
        self._due.append(waiters)

    def switch(self, hub: Any) -> None:
        """Let others run until somebody switches back. From any greenlet but the hub's.

        From one view to the next it is one switch; by way of the hub it would be two.
        """
        due = self._due
        while due:
            waiters = due[0]
            if len(waiters) < 2:
                due.popleft()
            if waiters:
                waiters.pop(0).switch()
                return
        hub.switch()

    def _run(self) -> None:
        due = self._due
        try:
            while due:
                waiters = due.popleft()
                for _ in range(len(waiters)):
                    if waiters:
                        waiters.pop(0).switch()
        finally:
            if due:  # somebody's greenlet let an exception out
                get_hub().loop.run_callback(self._run)


_turns: WeakKeyDictionary[Any, Turn] = WeakKeyDictionary()


def turn_of(hub: Any) -> Turn:
    """The one of the hub's thread."""
    turn = _turns.get(hub)
    if turn is None:
        turn = _turns[hub] = Turn()
    return turn
