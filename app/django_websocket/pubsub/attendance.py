"""Who of this process is in which channel: told to the broker, and told again while it is so."""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress

from ..conf import get_options
from ..errors import BrokerError
from .broker import Broker

__all__ = ["Attendance"]

logger = logging.getLogger("django_websocket")

#: Seconds that someone who enters waits for others of the same channel to be told.
_PATIENCE = 2.0

#: How often a process repeats its word before that word no longer holds.
_REPEATS = 3

#: Seconds of the longest first pause before a broker that is away is told again, and of the longest
#: ever. The pauses are random, so that the processes of a site do not come back all at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0

#: Seconds that a process which ends takes to say so.
_GOODBYE = 2.0


class _Room:
    """What this process has to say about one channel.

    ``counts`` and ``dirty``, the names whose count the broker does not know yet, change under the
    attendance's lock. Who holds ``telling`` tells the broker, and sets ``stamp``.
    """

    __slots__ = ("channel", "counts", "dirty", "stamp", "telling", "watched")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.counts: Counter[str] = Counter()
        self.dirty: set[str] = set()
        self.stamp: str | None = None
        #: Whether someone in this process listens to the comings and goings.
        self.watched = False
        self.telling = threading.Lock()

    def change(self, name: str, by: int) -> None:
        self.counts[name] += by
        if not self.counts[name]:
            del self.counts[name]
        self.dirty.add(name)


class Attendance:
    """Counts the sockets of this process by channel and name.

    Those who enter tell the broker themselves, all who came meanwhile in one step. A thread (a
    greenlet under gevent) tells it again before its word no longer holds, and whatever could not
    be told: nobody else waits for a broker that is away.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._process = secrets.token_hex(8)
        self._rooms: dict[str, _Room] = {}
        # Held while counts change. Never while waiting.
        self._lock = threading.Lock()
        #: Who has gone, in the order of when that is told: (time.monotonic(), channel, name).
        self._leaving: deque[tuple[float, str, str]] = deque()
        #: The rooms that the thread is to tell of next; and what else it is to do.
        self._due: dict[_Room, None] = {}
        self._tasks: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._closed = False
        self._failures = 0

    # For sockets

    def enter(self, channel: str, name: str, leaving: str | None = None) -> None:
        """Count one socket more under ``name``, and one less under ``leaving``, in one step.

        Raises :class:`BrokerError`; then nothing has changed.
        """
        room = self._change(channel, {name: 1} if leaving is None else {name: 1, leaving: -1})
        try:
            self._tell_in_turn(room)
        except BaseException:
            self._change(channel, {name: -1} if leaving is None else {name: -1, leaving: 1})
            self._tell_soon(room)
            raise

    def leave(self, channel: str, name: str) -> None:
        """Count one socket less. A broker that is away is told later."""
        room = self._change(channel, {name: -1})
        try:
            self._tell_in_turn(room)
        except BrokerError:
            self._tell_soon(room)

    def linger(self, channel: str, name: str) -> None:
        """Like :meth:`leave`, when whoever it was has not come back for a moment."""
        seconds = get_options().presence_linger
        if not seconds:
            self.leave(channel, name)
            return
        self._leaving.append((time.monotonic() + seconds, channel, name))
        if len(self._leaving) == 1:
            self._wake_up()

    # For the hub

    def watch(self, channel: str) -> None:
        """Someone listens: see to it that a dead process' people are noticed."""
        with self._lock:
            room = self._rooms.setdefault(channel, _Room(channel))
            room.watched = True
        self._wake_up()

    def unwatch(self, channel: str) -> None:
        with self._lock:
            room = self._rooms.setdefault(channel, _Room(channel))
            room.watched = False
        self._tell_soon(room)

    def repeat(self) -> None:
        """Tell everything again: the broker was away, and may have lost it."""
        with self._lock:
            for room in self._rooms.values():
                self._due[room] = None
        if self._rooms:
            self._wake_up()

    def soon(self, task: Callable[[], object]) -> None:
        """Call ``task`` in the thread, again where it raises :class:`BrokerError`."""
        self._tasks.append(task)
        self._wake_up()

    def close(self) -> None:
        """End the thread, and let everyone leave."""
        self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_GOODBYE)
        deadline = time.monotonic() + _GOODBYE
        with suppress(BrokerError):
            for room in list(self._rooms.values()):
                if room.stamp is not None and time.monotonic() < deadline:
                    self._broker.attend(room.channel, self._process, {}, 1.0, None)

    # Telling

    def _change(self, channel: str, changes: dict[str, int]) -> _Room:
        with self._lock:
            room = self._rooms.setdefault(channel, _Room(channel))
            for name, by in changes.items():
                room.change(name, by)
        if self._thread is None:
            self._wake_up()
        return room

    def _tell_in_turn(self, room: _Room) -> None:
        """Tell the broker what it does not know yet, unless someone else has just done it."""
        if not room.telling.acquire(timeout=_PATIENCE):
            raise BrokerError(f"the broker does not answer, so nobody enters {room.channel}")
        try:
            if room.dirty:
                self._tell(room)
        finally:
            room.telling.release()

    def _tell(self, room: _Room) -> None:
        """Tell the broker about a room, and repeat what it should know already."""
        with self._lock:
            counts, dirty = dict(room.counts), room.dirty
            room.dirty = set()
        changes = {name: counts.get(name, 0) for name in dirty}
        stamp, room.stamp = room.stamp, None
        try:
            if stamp is not None and counts:
                stamp = self._attend(room, changes, stamp)
            if stamp is None or not counts:
                stamp = self._attend(room, counts, None)
        except BaseException:
            with self._lock:
                room.dirty |= dirty
            raise
        room.stamp = stamp if counts else None
        with self._lock:
            if not (room.counts or room.dirty or room.watched):
                self._rooms.pop(room.channel, None)

    def _attend(self, room: _Room, counts: dict[str, int], stamp: str | None) -> str | None:
        ttl = get_options().presence_ttl
        return self._broker.attend(room.channel, self._process, counts, ttl, stamp)

    def _tell_soon(self, room: _Room) -> None:
        with self._lock:
            self._due[room] = None
        self._wake_up()

    # The thread

    def _wake_up(self) -> None:
        self._wake.set()
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name="django-websocket-presence", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        interval = get_options().presence_ttl / _REPEATS
        repeat_at = time.monotonic() + random.uniform(0, interval)  # noqa: S311
        while not self._closed:
            until = min(repeat_at, self._leaving[0][0]) if self._leaving else repeat_at
            if not (self._due or self._tasks):
                self._wake.wait(max(0.0, until - time.monotonic()))
            self._wake.clear()
            now = time.monotonic()
            self._let_go(now)
            if now >= repeat_at:
                self.repeat()
                repeat_at = now + interval
            try:
                self._catch_up()
            except BrokerError as error:
                self._pause(error)
            except Exception as error:
                logger.exception("Telling who is present failed")
                self._pause(error)

    def _let_go(self, now: float) -> None:
        while self._leaving and self._leaving[0][0] <= now:
            _, channel, name = self._leaving.popleft()
            self._tell_soon(self._change(channel, {name: -1}))

    def _catch_up(self) -> None:
        while not self._closed and (room := self._next_due()):
            try:
                self._tell_again(room)
            except BaseException:
                self._tell_soon(room)  # behind those that have not been tried yet
                raise
        while self._tasks and not self._closed:
            task = self._tasks.popleft()
            try:
                task()
            except BrokerError:
                self._tasks.append(task)
                raise
        if self._failures:
            logger.info("The broker knows again who is present")
            self._failures = 0

    def _next_due(self) -> _Room | None:
        with self._lock:
            room = next(iter(self._due), None)
            if room is not None:
                del self._due[room]
            return room

    def _tell_again(self, room: _Room) -> None:
        with room.telling:
            # Of a room that nobody needs any more the broker has been told already.
            if self._rooms.get(room.channel) is room:
                self._tell(room)

    def _pause(self, error: Exception) -> None:
        if not self._failures:
            logger.warning("Cannot tell who is present until the broker is back: %s", error)
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures, 10))
        self._failures += 1
        deadline = time.monotonic() + random.uniform(0, longest)  # noqa: S311
        while not self._closed and (left := deadline - time.monotonic()) > 0:
            self._wake.wait(left)
            self._wake.clear()
