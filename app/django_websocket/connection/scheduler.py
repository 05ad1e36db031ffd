"""The scheduler: which greenlets run before the hub looks for events again.

The hub first reads from many connections, and then their views run. A processor's caches hold the
kernel's code or the view's Python code, but hardly both: switching between them for each message
slows both down.

A turn runs only what was runnable when it began, as trio's and asyncio's loops do. So the hub looks
for events after each turn, whichever greenlets wake each other. A greenlet that has more to do
yields when its time is used up, and continues in a later turn, after those woken in the meantime.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from gevent import get_hub, getcurrent

__all__ = ["SLICE", "Scheduler", "scheduler_of", "share"]

#: Seconds that a greenlet runs before it yields. It is gevent's own switch interval, and
#: CPython's. One that has not been measured from its beginning may take twice as long.
SLICE = 0.005


class Scheduler:
    """The greenlets of one hub that can run."""

    __slots__ = (
        "_current",
        "_deferred",
        "_owner",
        "_ready",
        "_running",
        "_scheduled",
        "_timer",
        "deadline",
    )

    def __init__(self) -> None:
        #: Greenlets of the present turn that have not run yet, and those of the next one.
        self._current: deque[Any] = deque()
        self._ready: deque[Any] = deque()
        #: What has used up its time and continues after the others, with the greenlet it runs in.
        self._deferred: deque[tuple[Any, Callable[[], object]]] = deque()
        self._scheduled = self._running = False
        self._timer: Any = None
        #: In time.monotonic(): :meth:`overdue` need not be asked before.
        self.deadline = 0.0
        #: The greenlet that ``deadline`` was set for; None: for all of the turn.
        self._owner: Any = None

    def wake(self, waiters: list[Any], loop: Any) -> None:
        """Let every greenlet in ``waiters`` run in the next turn. From any greenlet."""
        self._ready += waiters
        waiters.clear()
        if not self._scheduled:
            self._schedule(loop)

    def wake_late(self, waiters: list[Any], loop: Any) -> None:
        """Let every greenlet in ``waiters`` run after those woken by then, as if it had yielded.

        So those who have little to do never wait for those who have much, however many they are.
        """
        self._deferred += [(waiter, waiter.switch) for waiter in waiters]
        waiters.clear()
        if not self._scheduled:
            self._schedule(loop)

    def defer(self, action: Callable[[], object], hub: Any) -> None:
        """Call ``action`` in the hub, in a later turn, after those woken by then."""
        self._defer(hub, action, hub)

    def switch(self, hub: Any) -> None:
        """Let others run until somebody switches back. From any greenlet but the hub's.

        From one view to the next it is one switch; by way of the hub it would be two.
        """
        if self._current:
            self._current.popleft().switch()
        else:
            hub.switch()

    def forget(self, waiters: list[Any], waiter: Any) -> None:
        """``waiter`` no longer waits, as something else has switched to it."""
        for queue in (waiters, self._ready, self._current):
            with contextlib.suppress(ValueError):
                queue.remove(waiter)
        with contextlib.suppress(ValueError):
            self._deferred.remove((waiter, waiter.switch))

    def overdue(self) -> bool:
        """Whether the running greenlet has used up its time. From any greenlet, the hub's too.

        The first to ask after ``deadline`` gets a new slice: others may have used the time until
        then.
        """
        now = monotonic()
        if now <= self.deadline:
            return False
        current = getcurrent()
        if self._owner is current:
            return True
        self._owner, self.deadline = current, now + SLICE
        return False

    def give_way(self, hub: Any) -> None:
        """Let everyone else run, and the hub look for events. Returns at once in the hub itself.

        ``gevent.sleep(0)`` lets others run, but up to 50 times before the hub looks for events.
        """
        current = getcurrent()
        if current is hub:
            return
        self._defer(current, current.switch, hub)
        try:
            self.switch(hub)
        except BaseException:
            with contextlib.suppress(ValueError):
                self._deferred.remove((current, current.switch))
            raise

    def _defer(self, greenlet: Any, action: Callable[[], object], hub: Any) -> None:
        self._deferred.append((greenlet, action))
        if not self._scheduled:
            self._schedule(hub.loop)

    def _schedule(self, loop: Any) -> None:
        self._scheduled = True
        if not self._running:
            loop.run_callback(self._run)
            return
        # The hub runs up to 50 callbacks, each of which may be a whole turn, before it looks for
        # events again. It looks before it comes to a timer, though.
        if self._timer is None:
            self._timer = loop.timer(0)
        self._timer.start(loop.run_callback, self._run)

    def _run(self) -> None:
        self._scheduled = False
        self._running = True
        self._owner, self.deadline = None, monotonic() + SLICE
        current, deferred = self._current, len(self._deferred)
        current += self._ready
        self._ready.clear()
        try:
            while current:
                current.popleft().switch()
            if deferred:
                self._run_deferred(deferred)
        finally:
            if (current or self._ready or self._deferred) and not self._scheduled:
                self._schedule(get_hub().loop)
            self._running = False
            self._owner = None

    def _run_deferred(self, count: int) -> None:
        """Run the first ``count``, as many as fit into one slice."""
        end = self.deadline = monotonic() + SLICE
        while count and self._deferred:
            self._owner, action = self._deferred.popleft()
            action()
            count = count - 1 if monotonic() < end else 0


_schedulers: WeakKeyDictionary[Any, Scheduler] = WeakKeyDictionary()


def scheduler_of(hub: Any) -> Scheduler:
    """The scheduler of this thread's hub."""
    scheduler = _schedulers.get(hub)
    if scheduler is None:
        scheduler = _schedulers[hub] = Scheduler()
    return scheduler


def share() -> None:
    """Yield if this greenlet has used up its time. For loops that read no client's socket.

    ``time.sleep(0)`` under gevent is not enough: see :meth:`Scheduler.give_way`. Does nothing in a
    thread without WebSockets, where the interpreter switches threads.
    """
    hub = getcurrent().parent
    scheduler = _schedulers.get(hub) if hub is not None else None
    if scheduler is not None and scheduler.overdue():
        scheduler.give_way(hub)
