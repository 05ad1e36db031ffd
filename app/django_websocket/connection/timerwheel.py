"""Many deadlines with one timer of the event loop.

Every connection has a deadline, and those that pass within a tick pass together. So the worker
wakes once for many pings, and then once for many pongs, not twice for each.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from math import ceil, floor
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["TICK", "TimerWheel", "wheel_of"]

#: Seconds by which a deadline may pass late. It never passes early.
TICK = 0.1

#: Seconds after which the hub looks at I/O before further deadlines.
_TURN = 0.005

_wheels: WeakKeyDictionary[Any, TimerWheel] = WeakKeyDictionary()


def wheel_of(hub: Any) -> TimerWheel:
    """The timer wheel of this thread's hub."""
    wheel = _wheels.get(hub)
    if wheel is None:
        wheel = _wheels[hub] = TimerWheel()
    return wheel


class TimerWheel:
    """Calls functions in the hub when their time has come, by ``time.monotonic()``.

    Invariant: there is a timer exactly while a deadline waits, outside of :meth:`_fire`.
    """

    __slots__ = ("_count", "_next", "_order", "_slots", "_timer")

    def __init__(self) -> None:
        #: What waits, by the number of the tick in which it is due, and by its owner.
        self._slots: dict[int, dict[Hashable, Callable[[], None]]] = {}
        #: The numbers of the slots, a heap.
        self._order: list[int] = []
        self._count = 0
        self._timer: Any = None
        #: The slot for which the timer waits.
        self._next = 0

    def __len__(self) -> int:
        """How many deadlines wait."""
        return self._count

    def add(self, loop: Any, owner: Hashable, seconds: float, action: Callable[[], None]) -> int:
        """Call ``action`` in ``seconds``; returns the slot by which :meth:`remove` finds it."""
        number = ceil((monotonic() + seconds) / TICK)
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = {}
            heappush(self._order, number)
        slot[owner] = action
        self._count += 1
        if self._timer is None or number < self._next:
            self._start(loop, number)
        return number

    def remove(self, number: int, owner: Hashable) -> None:
        """Do not call it; nothing happens if it was called already."""
        slot = self._slots.get(number)
        if slot is not None and slot.pop(owner, None) is not None:
            self._count -= 1
            if not self._count:
                self._stop()

    def _start(self, loop: Any, number: int) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
        self._next = number
        self._timer = loop.timer(max(0.0, number * TICK - monotonic()))
        self._timer.start(self._fire, loop)

    def _stop(self) -> None:
        # Also what keeps the loop, and so the hub, in memory.
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
        self._slots.clear()
        self._order.clear()

    def _fire(self, loop: Any) -> None:
        self._next = -1  # the timer is started below, not by add()
        end = monotonic() + _TURN
        try:
            while self._order and self._order[0] <= floor(monotonic() / TICK):
                slot = self._slots[self._order[0]]
                while slot:
                    _, action = slot.popitem()
                    self._count -= 1
                    action()
                    if monotonic() > end:
                        return
                if self._order and self._slots.get(self._order[0]) is slot:
                    del self._slots[heappop(self._order)]
        finally:
            if self._count:
                self._start(loop, self._order[0])
            else:
                self._stop()
