"""Background tasks, retried until they succeed, in a thread of their own."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from gevent import GreenletExit

from django_websocket.errors import BrokerError, ChannelError

from .backoff import Backoff

__all__ = ["Chores"]

logger = logging.getLogger("django_websocket")

#: Seconds to wait at the end for the running task.
_GOODBYE = 2.0


class _Chore:
    __slots__ = ("at", "backoff", "task")

    def __init__(self, task: Callable[[], object], at: float, backoff: Backoff) -> None:
        self.task = task
        #: When it is due, in time.monotonic().
        self.at = at
        self.backoff = backoff


class Chores:
    """Calls tasks, one after the other, each under a key that describes it.

    While the broker is unreachable, all tasks wait. Any other error affects that task alone: it is
    logged with the key, and the task is retried after a pause of its own.
    """

    def __init__(self) -> None:
        self._chores: dict[str, _Chore] = {}
        #: When each key is due: (time.monotonic(), a count, key).
        self._times: list[tuple[float, int, str]] = []
        self._count = itertools.count()
        # Held while the two above change. Never while waiting.
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        #: The pauses while the broker is unreachable.
        self._backoff = Backoff()

    def call(self, key: str, task: Callable[[], object], seconds: float = 0.0) -> None:
        """Call ``task`` in that many seconds, instead of the task that waits under ``key``.

        A failed task keeps its pause.
        """
        at = time.monotonic() + seconds
        with self._lock:
            known = self._chores.get(key)
            if known is not None:
                known.task = task
                if known.backoff.failures or known.at <= at:
                    return
            self._put(key, _Chore(task, at, Backoff()))
            self._start()
        self._wake.set()

    def close(self) -> None:
        """End the thread. Tasks that are still waiting are dropped."""
        self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_GOODBYE)

    def _put(self, key: str, chore: _Chore) -> None:
        self._chores[key] = chore
        heapq.heappush(self._times, (chore.at, next(self._count), key))

    def _start(self) -> None:
        if (self._thread is None or not self._thread.is_alive()) and not self._closed:
            self._thread = threading.Thread(
                target=self._run, name="django-websocket-chores", daemon=True
            )
            self._thread.start()

    # In the thread

    def _run(self) -> None:
        while not self._closed:
            try:
                due = self._next()
                if due is not None:
                    self._do(*due)
            except GreenletExit:
                raise
            except BaseException:
                logger.exception("A background task failed")

    def _next(self) -> tuple[str, _Chore] | None:
        """The next task, when it is due. None: look again."""
        self._wake.clear()
        with self._lock:
            while self._times:
                at, _, key = self._times[0]
                chore = self._chores.get(key)
                if chore is None or chore.at != at:
                    heapq.heappop(self._times)  # it was done, or moved to another time
                    continue
                seconds = at - time.monotonic()
                if seconds > 0:
                    break
                heapq.heappop(self._times)
                del self._chores[key]
                return key, chore
            else:
                seconds = threading.TIMEOUT_MAX
        self._wake.wait(min(seconds, threading.TIMEOUT_MAX))
        return None

    def _do(self, key: str, chore: _Chore) -> None:
        try:
            chore.task()
        except GreenletExit:
            raise
        except BaseException as error:
            if isinstance(error, BrokerError) and not isinstance(error, ChannelError):
                self._again(key, chore, 0.0)
                self._pause(error)
                return
            if not chore.backoff.failures:
                trace = None if isinstance(error, ChannelError) else error
                logger.error("%s: %s; trying again until it works", key, error, exc_info=trace)
            self._again(key, chore, chore.backoff.fail())
        else:
            if chore.backoff.failures:
                logger.info("%s: it works again", key)
            if self._backoff.failures:
                logger.info("The broker is back")
                self._backoff.reset()

    def _again(self, key: str, chore: _Chore, pause: float) -> None:
        with self._lock:
            newer = self._chores.get(key)
            task = newer.task if newer is not None else chore.task
            self._put(key, _Chore(task, time.monotonic() + pause, chore.backoff))

    def _pause(self, error: BaseException) -> None:
        if not self._backoff.failures:
            logger.warning("The broker is unreachable, trying again until it is back: %s", error)
        deadline = time.monotonic() + self._backoff.fail()
        while not self._closed and (left := deadline - time.monotonic()) > 0:
            self._wake.wait(left)
            self._wake.clear()
