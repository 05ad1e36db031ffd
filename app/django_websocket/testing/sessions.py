"""Sockets under test obey sessions when the test waits for them, in its own thread."""

from __future__ import annotations

from collections import deque

from django_websocket.auth.events import Enforcer, Event
from django_websocket.auth.listener import taps
from django_websocket.auth.review import Sockets, open_sockets
from django_websocket.auth.schedule import Job
from django_websocket.pubsub.commits import run_as_if_committed

__all__ = ["SessionEvents"]


_events: deque[Event] = deque()
_tap = _events.append
_open: list[SessionEvents] = []


class SessionEvents:
    """The events about sessions and users in this process, from now until :meth:`close`."""

    def __init__(self) -> None:
        if not _open:
            _events.clear()
            taps.append(_tap)
        _open.append(self)

    def obey(self) -> None:
        """Close the sockets that have lost their session, their user or a permission by now.

        Also runs the library's callbacks for the commit of the ``TestCase``'s transaction.
        """
        run_as_if_committed()
        while _events:
            _enforcer.obey(_events.popleft(), list(open_sockets.items()))

    def close(self) -> None:
        """Stop recording events. Idempotent."""
        if self in _open:
            _open.remove(self)
            if not _open:
                taps.remove(_tap)


class _AtOnce:
    """A page has saved its session when the test goes on, so no job has to wait."""

    def add(self, job: Job, sockets: Sockets, seconds: float = 0.0) -> None:
        job(list(sockets))


_enforcer = Enforcer(_AtOnce())
