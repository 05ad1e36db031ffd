"""``memory://``: messages within one process, for development and tests."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from django_websocket.pubsub.message import (
    CLEARED,
    ZERO,
    edition,
    make_id,
    pack,
    presence_channel,
    retraction,
)

from .base import (
    CHANGES,
    CHANGES_TTL,
    REMEMBERED,
    Broker,
    Entry,
    History,
    Presence,
    Receiver,
    Roster,
)

__all__ = ["MemoryBroker"]

#: How many messages are published between two searches for expired channels.
_SWEEP = 1000


class _Kept:
    """A channel's history, until ``expires`` in the seconds of ``time.monotonic()``."""

    __slots__ = ("entries", "expires", "last", "size")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.last = ZERO
        self.expires = 0.0
        #: Of all payloads, in bytes.
        self.size = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.size += len(entry.payload)

    def drop(self) -> None:
        """Remove the oldest message."""
        self.size -= len(self.entries.popleft().payload)

    def replace(self, index: int, payload: bytes) -> None:
        """Give a message another content."""
        entry = self.entries[index]
        self.entries[index] = entry._replace(payload=payload)
        self.size += len(payload) - len(entry.payload)

    def empty(self) -> None:
        self.entries.clear()
        self.size = 0


#: The names that have joined, and those that have left, both sorted.
Change = tuple[list[str], list[str]]


class _Process:
    """``expires`` is in the seconds of the caller's clock."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.stamp: str | None = None
        self.expires = 0.0


class Present:
    """Who is in one channel, process by process."""

    _stamps = itertools.count(1)

    def __init__(self) -> None:
        self._processes: dict[str, _Process] = {}
        self._published: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._processes or self._published)

    def sweep(self, now: float) -> None:
        """Forget the processes whose entries have expired."""
        for name, process in list(self._processes.items()):
            if process.expires <= now:
                del self._processes[name]

    def note(
        self, process: str, counts: Mapping[str, int], expires: float, stamp: str | None
    ) -> str | None:
        """Store a process' counts. Returns a new stamp, or None if the old one is unknown."""
        known = self._processes.get(process)
        if stamp is not None and (known is None or known.stamp != stamp):
            return None
        if stamp is None:
            known = _Process()
            self._processes.pop(process, None)
        assert known is not None  # noqa: S101 - or its stamp would not be known
        known.counts.update({name: count - known.counts[name] for name, count in counts.items()})
        known.counts = +known.counts
        known.expires = expires
        known.stamp = f"{next(self._stamps)}"
        if stamp is not None or counts:
            self._processes[process] = known
        return known.stamp

    def people(self) -> dict[str, int]:
        """The count of sockets by name."""
        return dict(sum((process.counts for process in self._processes.values()), Counter()))

    def change(self) -> Change | None:
        """The changes since the last call, if any."""
        before, now = self._published, set(self.people())
        self._published = now
        return (sorted(now - before), sorted(before - now)) if now != before else None


class MemoryBroker(Broker, Presence):
    """The publisher's own thread carries its message to every subscriber."""

    def __init__(self, url: str = "memory://") -> None:
        # Held while a message is delivered, so that all see one order. Never while waiting.
        self._lock = threading.RLock()
        self._channels: dict[str, _Kept] = {}
        self._present: dict[str, Present] = {}
        self._subscribed: set[str] = set()
        self._receiver: Receiver | None = None
        self._published = itertools.count(1)
        self._clock = self._sequence = 0
        self._most: int | None = None
        #: It knows nothing of what another process published before.
        self._begun = self._next_id()

    def keep_at_most(self, size: int) -> None:
        self._most = size

    def publish(self, channel: str, payload: bytes, history: int, ttl: float) -> str:
        with self._lock:
            if next(self._published) % _SWEEP == 0:
                self._sweep()
            kept = self._kept(channel) or self._channels.setdefault(channel, _Kept())
            entry = Entry(self._next_id(), kept.last, payload)
            kept.last = entry.id
            kept.expires = time.monotonic() + ttl
            most = self._most
            if history and (most is None or len(payload) <= most):
                kept.add(entry)
                while len(kept.entries) > history or (most is not None and kept.size > most):
                    kept.drop()
            if self._receiver is not None and channel in self._subscribed:
                wanted = self._receiver.message(channel, entry)
                if wanted is not None:
                    self.answer(wanted)
            return entry.id

    def retract(self, channel: str, id: str, history: int, ttl: float) -> str:  # noqa: A002
        with self._lock:
            payload = retraction(id)
            return self._change(channel, id, payload, payload, history, ttl)

    def edit(
        self,
        channel: str,
        id: str,  # noqa: A002
        payload: bytes,
        history: int,
        ttl: float,
    ) -> str | None:
        with self._lock:
            kept = self._kept(channel)
            for entry in kept.entries if kept else ():
                own = entry.id == id and entry.payload[:1] in (b"r", b"c", b"e")
                if own or entry.payload == retraction(id):
                    return None
            return self._change(channel, id, payload, edition(id, payload), history, ttl)

    def clear(self, channel: str, ttl: float) -> str:
        with self._lock:
            kept = self._kept(channel)
            ttl = self._longer(kept, ttl)
            if kept is not None:
                kept.empty()
            return self.publish(channel, CLEARED, 1, ttl)

    def read(
        self, positions: Sequence[tuple[str, str | None]], limit: int | None = None
    ) -> list[History]:
        with self._lock:
            return [self._read(channel, position, limit) for channel, position in positions]

    def announce(
        self, channel: str, process: str, counts: Mapping[str, int], ttl: float, stamp: str | None
    ) -> str | None:
        now = time.monotonic()
        with self._lock:
            present = self._present.setdefault(channel, Present())
            present.sweep(now)
            stamp = present.note(process, counts, now + ttl, stamp)
            self._publish_change(channel, present)
            return stamp

    def roster(self, channel: str) -> Roster:
        with self._lock:
            present = self._present.get(channel, Present())
            present.sweep(time.monotonic())
            self._publish_change(channel, present)
            return Roster(present.people(), self._read(presence_channel(channel), None).last)

    def listen(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def subscribe(self, channel: str) -> None:
        with self._lock:
            self._subscribed.add(channel)
            if self._receiver is not None:
                self.answer(self._receiver.subscribed([channel]))

    def unsubscribe(self, channel: str) -> None:
        with self._lock:
            self._subscribed.discard(channel)

    def check(self) -> None:
        pass

    def close(self) -> None:
        with self._lock:
            self._subscribed.clear()
            self._channels.clear()
            self._present.clear()

    def _publish_change(self, channel: str, present: Present) -> None:
        change = present.change()
        if change is not None:
            payload = pack(dict(zip(("joined", "left"), change, strict=True)))
            self.publish(presence_channel(channel), payload, CHANGES, CHANGES_TTL)
        if not present:
            self._present.pop(channel, None)

    def _change(
        self,
        channel: str,
        id: str,  # noqa: A002
        payload: bytes,
        notice: bytes,
        history: int,
        ttl: float,
    ) -> str:
        """Put ``payload`` in the message's place, and ``notice`` in that of its editions."""
        kept, count = self._kept(channel), 0
        if kept is not None:
            editions = edition(id, b"")
            for index, entry in enumerate(kept.entries):
                if entry.id == id:
                    kept.replace(index, payload)
                elif entry.payload.startswith(editions):
                    kept.replace(index, notice)
            count = len(kept.entries)
        return self.publish(channel, notice, max(count, history, 1), self._longer(kept, ttl))

    def _longer(self, kept: _Kept | None, ttl: float) -> float:
        return ttl if kept is None else max(ttl, kept.expires - time.monotonic())

    def _kept(self, channel: str) -> _Kept | None:
        kept = self._channels.get(channel)
        if kept is None:
            return None
        overdue = time.monotonic() - kept.expires
        if overdue >= REMEMBERED:
            del self._channels[channel]
            return None
        if overdue >= 0:
            kept.empty()
        return kept

    def _read(self, channel: str, position: str | None, limit: int | None = None) -> History:
        whole_since = max(self._begun, make_id(int((time.time() - REMEMBERED) * 1000), 0))
        kept = self._kept(channel)
        if kept is None:
            return History((), ZERO, None, whole_since)
        if position is None:
            return History((), kept.last, None, whole_since)
        after = (entry for entry in kept.entries if entry.id > position)
        entries = list(itertools.islice(after, limit))
        more = entries[-1].id if next(after, None) is not None else None
        return History(entries, kept.last, more, whole_since)

    def _next_id(self) -> str:
        """Ids of all channels grow together, so a forgotten channel begins above them."""
        now = time.time_ns() // 1_000_000
        if now > self._clock:
            self._clock, self._sequence = now, 0
        elif self._sequence < 999_999:
            self._sequence += 1
        else:
            self._clock, self._sequence = self._clock + 1, 0
        return make_id(self._clock, self._sequence)

    def _sweep(self) -> None:
        for channel in list(self._channels):
            self._kept(channel)
