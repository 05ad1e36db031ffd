"""A gevent hub in a thread of its own, for the connection of a socket under test.

gevent does not patch a test process, so code that waits there blocks its thread. Neither the test
nor the view may block the hub that reads and writes, so the hub has its own thread. If gevent has
patched, each thread is a greenlet of one hub, and that hub is the engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import gevent
from gevent import monkey
from gevent.event import Event

__all__ = ["Engine", "EngineStopped", "greenlets_of_a_view"]

T = TypeVar("T")

#: Set in a thread that runs a hub beside its own code, for greenlets of a view.
_local = threading.local()


class EngineStopped(RuntimeError):
    """The connection has ended, and its hub with it."""


class Engine:
    """Runs functions in its hub, each in a greenlet of its own, for any thread. :meth:`stop` it."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._hub: Any = None
        self._bell: Any = None
        # Held while a function is passed to the hub, or the engine stops.
        self._lock = threading.Lock()
        self._stopped = False
        self._calls: set[_Call] = set()
        if monkey.is_module_patched("threading"):
            return
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="django-websocket-engine", daemon=True
        )
        self._thread.start()
        started.wait()

    @property
    def has_thread(self) -> bool:
        """Whether the hub is another thread's than the view's and the test's."""
        return self._thread is not None

    @property
    def is_here(self) -> bool:
        """Whether the caller is a greenlet of the hub, or the hub itself."""
        if self._thread is None:
            return True
        current = gevent.getcurrent()
        return current is self._hub or current.parent is self._hub

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run ``function`` in the hub and return its result, or raise its error. It may wait.

        Raises :class:`EngineStopped` if the engine stops before that.
        """
        if self.is_here:
            return function(*args)
        call = _Call(function, args)
        try:
            if not self._submit(call.start, call):
                raise EngineStopped
            call.wait()
        except BaseException:  # the caller's time is up: nobody reads the result
            self._submit(call.kill)
            raise
        finally:
            self._calls.discard(call)
        if call.error is not None:
            raise call.error
        return call.value  # type: ignore[no-any-return]

    def tell(self, function: Callable[..., object], *args: Any) -> None:
        """Have the hub call ``function``, which must not wait, after earlier calls.

        Returns at once. Does nothing after the engine has stopped.
        """
        if self.is_here:
            function(*args)
        else:
            self._submit(partial(function, *args))

    def stop(self) -> None:
        """End the thread. Calls that are running in the hub end with :class:`EngineStopped`."""
        with self._lock:
            stopped, self._stopped = self._stopped, True
        if self._thread is not None and not stopped:
            self._bell.send()
            self._thread.join()

    def _submit(self, function: Callable[[], object], call: _Call | None = None) -> bool:
        with self._lock:
            if not self._stopped:
                if call is not None:
                    self._calls.add(call)
                self._hub.loop.run_callback_threadsafe(function)
            return not self._stopped

    def _run(self, started: threading.Event) -> None:
        self._hub = hub = gevent.get_hub()
        self._bell = bell = hub.loop.async_()
        hub.loop.run_callback(started.set)  # by then it waits for the bell
        hub.wait(bell)
        bell.close()
        hub.destroy(destroy_loop=True)
        for call in list(self._calls):
            call.finish(error=EngineStopped())


class _Call:
    """A function, and its result."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._function = function
        self._args = args
        self.value: Any = None
        self.error: BaseException | None = None
        self._greenlet: Any = None
        self._bell: Any = None
        if getattr(_local, "has_greenlets", False):
            self._bell = gevent.get_hub().loop.async_()
            self._done: Any = Event()
            self._bell.start(self._done.set)
        else:
            self._done = threading.Event()

    def start(self) -> None:
        """Runs in the hub."""
        self._greenlet = gevent.spawn(self._run)

    def kill(self) -> None:
        """Runs in the hub."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        try:
            self.finish(self._function(*self._args))
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self.finish(error=error)

    def finish(self, value: Any = None, error: BaseException | None = None) -> None:
        """Let :meth:`wait` return."""
        self.value, self.error = value, error
        if self._bell is None:
            self._done.set()
        else:
            self._bell.send()

    def wait(self) -> None:
        """Wait for the end of :meth:`run`. Other greenlets of this thread run meanwhile."""
        try:
            self._done.wait()
        finally:
            if self._bell is not None:
                self._bell.close()


@contextmanager
def greenlets_of_a_view() -> Iterator[None]:
    """Let greenlets that this thread spawns run while it waits for an engine.

    At the end, the remaining ones end with the thread's hub.
    """
    if monkey.is_module_patched("threading"):
        yield
        return
    _local.has_greenlets = True
    try:
        yield
    finally:
        gevent.get_hub().destroy(destroy_loop=True)
