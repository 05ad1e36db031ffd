"""Background work on sockets, to be done later or when there is time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import close_caches

from django_websocket.conf import get_options
from django_websocket.database import release_connections
from django_websocket.pubsub.backoff import Backoff

from .review import OpenSocket, Sockets, come_back, find_gone, open_sockets, review_all

__all__ = ["GONE", "SETTLE", "Schedule", "release", "start"]

Job = Callable[[Sockets], None]

logger = logging.getLogger("django_websocket")

#: Seconds until a decision that depends on a page. The page saves its session after the user, and
#: then its cookie has to reach the browser.
SETTLE = 0.4

#: Seconds until the sockets of a session that has gone are closed. On a busy host, an event about
#: it with a code of its own, such as a logout's, may take that long to arrive.
GONE = 2.0


class Schedule:
    """Jobs for sockets, and when they are due. Jobs due at the same time are done together."""

    def __init__(self) -> None:
        self._jobs: list[tuple[float, Job, dict[Any, OpenSocket]]] = []
        self._changed = threading.Event()
        self._checked = time.monotonic()
        self._backoff = Backoff()
        self.thread = start(self._run, "django-websocket-session-checks")

    def add(self, job: Job, sockets: Sockets, seconds: float = 0.0) -> None:
        """Run ``job`` for ``sockets`` in ``seconds``, in the thread of this schedule."""
        self._jobs.append((time.monotonic() + seconds, job, dict(sockets)))
        self._changed.set()

    def review_all(self, seconds: float = SETTLE) -> None:
        """Schedule one review, however many calls there are until then."""
        if all(job is not review_all for _, job, _ in self._jobs):
            self.add(review_all, (), seconds)

    def _run(self) -> None:
        while True:
            try:
                self._changed.wait(self._pause())
                self._changed.clear()
                for job, sockets in self._due():
                    self._do(job, [item for item in sockets.items() if item[0] in open_sockets])
            except Exception:
                logger.exception("Could not find out which sessions to check")
                time.sleep(self._backoff.fail())
            finally:
                release()

    def _do(self, job: Job, sockets: Sockets) -> None:
        try:
            job(sockets)
        except Exception:
            logger.exception("Could not check the sessions of sockets")
            self.review_all(self._backoff.fail())
        else:
            self._backoff.reset()

    def _check(self, sockets: Sockets) -> None:
        self.add(come_back, find_gone(sockets), GONE)

    def _pause(self) -> float | None:
        """Seconds until something is due."""
        dues = [due for due, _, _ in self._jobs]
        if (interval := get_options().session_check_interval) is not None:
            dues.append(self._checked + interval)
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _due(self) -> list[tuple[Job, dict[Any, OpenSocket]]]:
        now = time.monotonic()
        due: dict[Job, dict[Any, OpenSocket]] = {}
        for time_, job, sockets in self._jobs:
            if time_ <= now:
                due.setdefault(job, {}).update(sockets)
        self._jobs = [job for job in self._jobs if job[0] > now]
        interval = get_options().session_check_interval
        if interval is not None and now >= self._checked + interval:
            self._checked = now
            due[self._check] = dict(open_sockets)
        return list(due.items())


def start(target: Callable[[], None], name: str) -> threading.Thread:
    """Start and return a daemon thread ``name``, which runs ``target`` once."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def release() -> None:
    """A greenlet that waits holds no connection."""
    release_connections()
    close_caches()
