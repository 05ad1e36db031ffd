"""Presence of this process: announced to the broker, and renewed by heartbeats."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections import Counter, deque
from functools import partial

from django_websocket.conf import get_options
from django_websocket.errors import BrokerError, ChannelError
from django_websocket.metrics import Timed
from django_websocket.pubsub.brokers.base import Broker, require_presence, wait_while_answered
from django_websocket.pubsub.chores import Chores

__all__ = ["Announcer"]

#: Heartbeats of a process within WEBSOCKET_PRESENCE_TTL.
_REPEATS = 3

#: What the chores are called in the log.
_REPEAT, _LEAVING = "Renewing presence entries", "Announcing users who have left"

#: Seconds that an ending process takes at most to remove its entries.
_GOODBYE = 2.0


class _Room:
    """The presence of this process in one channel.

    ``dirty`` holds the names whose count the broker does not know yet. ``counts`` and ``dirty``
    change under the announcer's lock. The holder of ``sending`` calls the broker and sets
    ``stamp``.
    """

    __slots__ = ("channel", "counts", "dirty", "failed_at", "sending", "stamp", "watched")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.counts: Counter[str] = Counter()
        self.dirty: set[str] = set()
        self.stamp: str | None = None
        #: Whether anyone in this process watches the channel.
        self.watched = False
        self.sending = threading.Lock()
        #: When a call last failed: callers that waited for it do not wait as long again.
        self.failed_at = 0.0

    def change(self, name: str, by: int) -> None:
        self.counts[name] += by
        if not self.counts[name]:
            del self.counts[name]
        self.dirty.add(name)


class Announcer:
    """Counts the sockets of this process by channel and name.

    A socket that enters calls the broker itself, in one step for all that entered meanwhile. A
    chore renews the counts before they expire and resends what failed, so that nobody else waits
    for an unreachable broker or an unusable channel.
    """

    def __init__(self, broker: Broker, chores: Chores) -> None:
        self._broker = broker
        self._chores = chores
        self._process = secrets.token_hex(8)
        self._rooms: dict[str, _Room] = {}
        # Held while counts change. Never while waiting.
        self._lock = threading.Lock()
        #: Users that have left, in announcement order: (time.monotonic(), channel, name).
        self._leaving: deque[tuple[float, str, str]] = deque()
        #: Whether a chore renews the counts, and whether the announcer is closed.
        self._repeats = self._closed = False

    # For sockets

    def enter(
        self, channel: str, name: str, leaving: str | None = None, asked: float | None = None
    ) -> None:
        """Count one more socket under ``name`` and one fewer under ``leaving``, in one step.

        ``asked``
            Since when the caller has waited for this, in time.monotonic().

        Raises :class:`BrokerError`; then nothing has changed. Raises
        :class:`~django_websocket.errors.UnsupportedByBroker` too.
        """
        require_presence(self._broker)
        room = self._change(channel, {name: 1} if leaving is None else {name: 1, leaving: -1})
        try:
            self._announce_in_turn(room, asked)
        except BaseException:
            undo = {name: -1} if leaving is None else {name: -1, leaving: 1}
            self._announce_soon(self._change(channel, undo))
            raise

    def leave(self, channel: str, name: str, asked: float | None = None) -> None:
        """Count one fewer socket. If the broker is unreachable, it is announced later."""
        room = self._change(channel, {name: -1})
        try:
            self._announce_in_turn(room, asked)
        except BrokerError:
            self._announce_soon(room)
        except BaseException:
            self._announce_soon(room)
            raise

    def linger(self, channel: str, name: str) -> None:
        """Like :meth:`leave`, unless the same name comes back within the linger time."""
        seconds = get_options().presence_linger
        if not seconds:
            self.leave(channel, name)
            return
        self._leaving.append((time.monotonic() + seconds, channel, name))
        if len(self._leaving) == 1:
            self._chores.call(_LEAVING, self._let_go, seconds)

    @property
    def present(self) -> int:
        """How many sockets of this process are present in channels; in two they count twice."""
        with self._lock:
            return sum(room.counts.total() for room in self._rooms.values())

    # For the dispatcher

    def watch(self, channel: str) -> None:
        """Note that this process watches the channel, and notice when another process dies."""
        with self._lock:
            room = self._rooms.setdefault(channel, _Room(channel))
            room.watched = True
        self._repeat_later()

    def unwatch(self, channel: str) -> None:
        """This process no longer watches the channel."""
        with self._lock:
            room = self._rooms.setdefault(channel, _Room(channel))
            room.watched = False
        self._announce_soon(room)

    def repeat(self) -> None:
        """Announce everything again: the broker was unreachable, and may have lost it."""
        with self._lock:
            rooms = list(self._rooms.values())
        for room in rooms:
            self._announce_soon(room)

    def close(self) -> None:
        """Remove all entries of this process, and announce nothing more."""
        self._closed = True
        deadline = time.monotonic() + _GOODBYE
        for room in list(self._rooms.values()):
            if room.stamp is None or time.monotonic() > deadline:
                continue
            try:
                require_presence(self._broker).announce(room.channel, self._process, {}, 1.0, None)
            except ChannelError:
                continue
            except BrokerError:
                return

    # Announcing

    def _change(self, channel: str, changes: dict[str, int]) -> _Room:
        with self._lock:
            room = self._rooms.setdefault(channel, _Room(channel))
            for name, by in changes.items():
                room.change(name, by)
        self._repeat_later()
        return room

    def _announce_in_turn(self, room: _Room, asked: float | None) -> None:
        """Send the broker pending changes, unless another greenlet has just done so."""
        began = time.monotonic() if asked is None else asked
        if room.failed_at > began:
            raise _no_answer(room)
        if not wait_while_answered(lambda left: room.sending.acquire(timeout=left), self._broker):
            room.failed_at = time.monotonic()
            raise _no_answer(room)
        try:
            if room.dirty:
                if room.failed_at > began:
                    raise _no_answer(room)
                self._announce_room(room)
        finally:
            room.sending.release()

    def _announce_room(self, room: _Room) -> None:
        """Send the broker the changes of a room, and renew its other entries."""
        with self._lock:
            counts, dirty = dict(room.counts), room.dirty
            room.dirty = set()
        changes = {name: counts.get(name, 0) for name in dirty}
        stamp, room.stamp = room.stamp, None
        try:
            if stamp is not None and counts:
                stamp = self._announce(room, changes, stamp)
            if stamp is None or not counts:
                stamp = self._announce(room, counts, None)
        except BaseException as error:
            if not isinstance(error, ChannelError):  # an answer: others may ask again
                room.failed_at = time.monotonic()
            with self._lock:
                room.dirty |= dirty
            raise
        room.stamp = stamp if counts else None
        with self._lock:
            if not (room.counts or room.dirty or room.watched):
                self._rooms.pop(room.channel, None)

    def _announce(self, room: _Room, counts: dict[str, int], stamp: str | None) -> str | None:
        ttl = get_options().presence_ttl
        presence = require_presence(self._broker)
        with Timed("announce"):
            return presence.announce(room.channel, self._process, counts, ttl, stamp)

    # Chores

    def _announce_soon(self, room: _Room) -> None:
        self._chores.call(f"Presence in {room.channel}", partial(self._announce_again, room))

    def _announce_again(self, room: _Room) -> None:
        with room.sending:
            # A room that was dropped has been announced already.
            if self._rooms.get(room.channel) is room and not self._closed:
                self._announce_room(room)

    def _repeat_later(self) -> None:
        if not self._repeats:
            self._repeats = True
            interval = get_options().presence_ttl / _REPEATS
            self._chores.call(_REPEAT, self._repeat_for_ever, random.uniform(0, interval))  # noqa: S311

    def _repeat_for_ever(self) -> None:
        self.repeat()
        self._chores.call(_REPEAT, self._repeat_for_ever, get_options().presence_ttl / _REPEATS)

    def _let_go(self) -> None:
        now = time.monotonic()
        while self._leaving and self._leaving[0][0] <= now:
            _, channel, name = self._leaving.popleft()
            self._announce_soon(self._change(channel, {name: -1}))
        if self._leaving:
            self._chores.call(_LEAVING, self._let_go, self._leaving[0][0] - now)


def _no_answer(room: _Room) -> BrokerError:
    return BrokerError(f"the broker does not answer, so nobody can enter {room.channel}")
