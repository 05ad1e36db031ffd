"""Who is in a channel: a long list is read once for all who ask within a second."""

from __future__ import annotations

import threading
import time

from ..errors import BrokerError
from .broker import Broker
from .message import Message, pack, presence_of

__all__ = ["Lists"]

#: For how many seconds a list of so many names serves those who come next, with the changes since.
#: When everyone comes back at once, reading and encoding it for each would be most of the work.
_FRESH, _LONG = 1.0, 100

#: Seconds that someone waits for another one's reading.
_PATIENCE = 2.0


class _List:
    def __init__(self) -> None:
        self.message: Message | None = None
        #: Until when it serves others, in time.monotonic().
        self.good_until = 0.0
        self.reading = threading.Lock()

    def fresh(self) -> Message | None:
        return self.message if time.monotonic() < self.good_until else None


class Lists:
    """A list is a message of the presence channel, with the data ``{"present": [names]}``.

    Its id is that of the last coming or going that it knows of.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lists: dict[str, _List] = {}

    def get(self, name: str) -> Message:
        """The list of the presence channel ``name``. Raises :class:`BrokerError`."""
        known = self._lists.setdefault(name, _List())
        message = known.fresh()
        if message is not None:
            return message
        if not known.reading.acquire(timeout=_PATIENCE):
            raise BrokerError(f"the broker does not answer, so nobody knows who is in {name}")
        try:
            return known.fresh() or self._read(name, known)
        finally:
            known.reading.release()

    def forget(self, name: str) -> None:
        """Read it again for whoever asks next."""
        self._lists.pop(name, None)

    def _read(self, name: str, known: _List) -> Message:
        for other in [other for other, kept in list(self._lists.items()) if not kept.fresh()]:
            if other != name:
                self.forget(other)
        now = time.monotonic()
        roster = self._broker.roster(presence_of(name) or name)
        message = Message(name, roster.position, pack({"present": sorted(roster.people)}))
        known.message = message
        known.good_until = now + _FRESH if len(roster.people) >= _LONG else now
        return message
