"""asyncio's running event loop is the greenlet's own.

asyncio records in C, for each thread of the operating system, which loop runs there. All greenlets
share one thread: while a view is in ``asyncio.run()`` or ``async_to_sync()``, every other greenlet
would seem to be inside its loop, and Django would refuse it the ORM.

So whenever greenlets switch while a loop runs, asyncio gets the loop of the greenlet that goes on,
and Python gets that loop's hooks for asynchronous generators: otherwise another loop would close
them at its end. While no loop runs, none of this is called. asyncio has no public name for it:
``_set_running_loop`` is what its own loops and uvloop's call.

gunicorn imports this module before gevent patches the standard library, so it may not import
asyncio at the top.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from gevent import killall, monkey
from greenlet import getcurrent, gettrace, settrace

__all__ = ["end_all", "give_each_greenlet_its_own"]

#: The attribute of a greenlet that holds its running loop, and that loop's asyncgen hooks.
_ATTRIBUTE = "django_websocket_event_loop"

_NO_LOOP = (None, (None, None))

#: The greenlets in which a loop runs, in any thread.
_running: WeakSet[Any] = WeakSet()


def give_each_greenlet_its_own() -> None:
    """Do this from now on, in every thread of this process. Does nothing the second time."""
    import asyncio
    from asyncio import events

    tell_asyncio = events._set_running_loop
    if hasattr(tell_asyncio, "__wrapped__"):
        return
    # The thread's, not the greenlet's.
    threads = monkey.get_original("threading", "local")()

    @functools.wraps(tell_asyncio)
    def set_running_loop(loop: Any) -> None:
        try:
            thread = threads.loops
        except AttributeError:
            thread = threads.loops = _RunningLoops(tell_asyncio)
        thread.set(loop)

    events._set_running_loop = asyncio._set_running_loop = set_running_loop


def end_all(seconds: float) -> None:
    """End the loops that still run; wait for that long.

    The loop of ``async_to_sync()`` is in a greenlet that Python takes for a thread, and at exit
    Python would wait for that thread.
    """
    killall(list(_running), timeout=seconds)


class _RunningLoops:
    """The loops of one thread."""

    def __init__(self, tell_asyncio: Callable[[Any], None]) -> None:
        self._tell_asyncio = tell_asyncio
        self._count = 0
        self._tracer = self._switched
        self._tracing = False
        self._next_tracer: Any = None

    def set(self, loop: Any) -> None:
        """``loop`` runs in this greenlet; None: no loop does any more."""
        self._note(getcurrent(), loop)
        self._tell_asyncio(loop)

    def _note(self, greenlet: Any, loop: Any) -> None:
        before, _ = getattr(greenlet, _ATTRIBUTE, _NO_LOOP)
        # A loop sets its hooks before it says that it runs.
        setattr(
            greenlet,
            _ATTRIBUTE,
            (loop, tuple(sys.get_asyncgen_hooks())) if loop is not None else _NO_LOOP,
        )
        self._count += (loop is not None) - (before is not None)
        (_running.discard if loop is None else _running.add)(greenlet)
        if self._count and not self._tracing:
            self._next_tracer = settrace(self._tracer)
            self._tracing = True
        elif not self._count and gettrace() is self._tracer:
            # Otherwise a tracer that was set later calls this one.
            settrace(self._next_tracer)
            self._tracing = False

    def _switched(self, event: str, greenlets: tuple[Any, Any]) -> None:
        origin, target = greenlets
        if origin.dead and getattr(origin, _ATTRIBUTE, _NO_LOOP) is not _NO_LOOP:
            self._note(origin, None)  # it did not come to an end by itself
        loop, hooks = getattr(target, _ATTRIBUTE, _NO_LOOP)
        self._tell_asyncio(loop)
        sys.set_asyncgen_hooks(*hooks)
        if self._next_tracer is not None:
            self._next_tracer(event, greenlets)
