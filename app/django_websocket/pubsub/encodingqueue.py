"""Messages that wait for a slow encode function of the user's."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

import gevent

from django_websocket.conf import get_options
from django_websocket.connection.scheduler import share
from django_websocket.database import release_connections
from django_websocket.metrics import counters

from .message import Message

__all__ = ["EncodingQueue"]

logger = logging.getLogger("django_websocket")


class EncodingQueue:
    """Calls ``work`` for each message, in order, in a greenlet of its own.

    ``work``
        Gets what :meth:`put` got. May wait; must not raise.
    ``at_home``
        Calls a function in the thread that the greenlet belongs to.
    ``too_late``
        Called there if more messages wait for the slow function than may wait for any client.
        None: the oldest messages are dropped.
    """

    def __init__(
        self,
        work: Callable[[Message, int], None],
        at_home: Callable[[Callable[[], object]], None],
        too_late: Callable[[], None] | None,
    ) -> None:
        self._work = work
        self._at_home = at_home
        self._too_late = too_late
        self._queue: deque[tuple[Message, int]] = deque()
        self._size = 0
        self._busy = False
        # Held while the three above change. Never while waiting.
        self._lock = threading.Lock()

    def put(self, message: Message, joined: int) -> None:
        """Queue a message after those put before. From any thread; does not wait."""
        with self._lock:
            self._queue.append((message, joined))
            self._size += message.size
            starts, self._busy = not self._busy, True
            late = self._size > get_options().send_buffer_size and len(self._queue) > 1
            if late:
                self._drop(message)
        if late and self._too_late is not None:
            self._at_home(self._too_late)
        if starts:
            self._at_home(self._start)

    def clear(self) -> None:
        """Drop the waiting messages."""
        with self._lock:
            self._queue.clear()
            self._size = 0

    def _drop(self, message: Message) -> None:
        limit = get_options().send_buffer_size if self._too_late is None else 0
        dropped = 0
        while self._queue and self._size > limit:
            self._size -= self._queue.popleft()[0].size
            dropped += 1
        counters.encodings_dropped += dropped
        logger.error(
            "Dropped %d messages before %r: their encode function is too slow", dropped, message
        )

    def _start(self) -> None:
        gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._work(*item)
                share()
        finally:
            if self._busy:  # the greenlet was killed
                self._start()
            release_connections()

    def _next(self) -> tuple[Message, int] | None:
        with self._lock:
            if not self._queue:
                self._busy = False
                return None
            message, joined = self._queue.popleft()
            self._size -= message.size
            return message, joined
