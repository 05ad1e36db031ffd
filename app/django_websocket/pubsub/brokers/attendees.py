"""Who is in one channel, process by process: what a broker without a server keeps."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping

__all__ = ["Attendees", "Change"]

#: The names that have joined, and those that have left, both sorted.
Change = tuple[list[str], list[str]]


class _Process:
    """``expires`` is in the seconds of the caller's clock."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.stamp: str | None = None
        self.expires = 0.0


class Attendees:
    """See :meth:`~django_websocket.pubsub.brokers.base.Broker.attend`, which this is a part of."""

    _stamps = itertools.count(1)

    def __init__(self) -> None:
        self._processes: dict[str, _Process] = {}
        self._told: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._processes or self._told)

    def sweep(self, now: float) -> None:
        """Forget the processes whose word no longer holds."""
        for name, process in list(self._processes.items()):
            if process.expires <= now:
                del self._processes[name]

    def note(
        self, process: str, counts: Mapping[str, int], expires: float, stamp: str | None
    ) -> str | None:
        """Take a process' word. Returns a new stamp, None when the old one is not known."""
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
        """What has changed since this was last asked, if anything has."""
        before, now = self._told, set(self.people())
        self._told = now
        return (sorted(now - before), sorted(before - now)) if now != before else None
