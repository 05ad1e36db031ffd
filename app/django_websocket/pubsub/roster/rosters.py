"""Who is in a channel: a long list is read once for all readers within a second."""

from __future__ import annotations

import threading
import time

from django_websocket.errors import BrokerError
from django_websocket.metrics import Timed
from django_websocket.pubsub.brokers.base import Broker, require_presence, wait_while_answered
from django_websocket.pubsub.message import Message, pack, presence_of

__all__ = ["Rosters"]

#: For how many seconds a list of that many names serves later readers, with the changes since. When
#: all clients reconnect at once, reading and encoding it for each would be most of the work.
_FRESH, _LONG = 1.0, 100


class _CachedRoster:
    def __init__(self) -> None:
        self.message: Message | None = None
        #: Until when it serves others, in time.monotonic().
        self.good_until = 0.0
        self.reading = threading.Lock()
        #: When the last reading began, and when one failed.
        self.begun_at = self.failed_at = 0.0

    def fresh(self) -> Message | None:
        return self.message if time.monotonic() < self.good_until else None


class Rosters:
    """A list is a message of the presence channel, with the data ``{"present": [names]}``.

    Its id is that of the last change that it includes.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._rosters: dict[str, _CachedRoster] = {}

    def get(self, name: str) -> Message:
        """The list of the presence channel ``name``. Raises :class:`BrokerError`."""
        known = self._rosters.setdefault(name, _CachedRoster())
        message = known.fresh()
        if message is not None:
            return message
        asked = time.monotonic()
        if not wait_while_answered(lambda left: known.reading.acquire(timeout=left), self._broker):
            raise _no_answer(name)
        try:
            if known.failed_at > asked:
                raise _no_answer(name)
            # One read serves all that asked before it began.
            if known.message is not None and known.begun_at > asked:
                return known.message
            return known.fresh() or self._read(name, known)
        finally:
            known.reading.release()

    def forget(self, name: str) -> None:
        """Drop the list, so that it is read again when needed."""
        self._rosters.pop(name, None)

    def _read(self, name: str, known: _CachedRoster) -> Message:
        for other, kept in list(self._rosters.items()):
            if other != name and not kept.fresh() and not kept.reading.locked():
                self.forget(other)
        now = known.begun_at = time.monotonic()
        try:
            with Timed("roster"):
                roster = require_presence(self._broker).roster(presence_of(name) or name)
        except BaseException:
            known.failed_at = time.monotonic()
            raise
        message = Message(name, roster.position, pack({"present": sorted(roster.people)}))
        known.message = message
        known.good_until = now + _FRESH if len(roster.people) >= _LONG else now
        return message


def _no_answer(name: str) -> BrokerError:
    return BrokerError(f"the broker does not answer, so presence in {name} is unknown")
