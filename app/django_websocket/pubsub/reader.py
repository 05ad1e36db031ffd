"""Messages for a view, a command or a test that wants to read them itself."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Any

from .channel import Group
from .counters import counters
from .hub import Hub
from .message import Message, check_subscription

__all__ = ["Reader"]


class Reader:
    """Reads channels, one message after the other, until it is closed.

    ``limit``
        Bytes of messages that wait here. Who lags further behind goes back to the history, and
        finds a gap where that no longer goes back far enough.
    """

    group: Hashable = "readers"

    def __init__(self, hub: Hub, limit: int, timeout: float | None = None) -> None:
        self._hub = hub
        self._limit = limit
        self._timeout = timeout
        #: By channel, the id of the last message taken; and which channels the hub sends.
        self._positions: dict[str, str] = {}
        self._followed: set[str] = set()
        self._queue: deque[Message] = deque()
        self._size = 0
        self._lagging = False
        self._changed = threading.Condition()

    def close(self) -> None:
        """Read no channel any longer."""
        for channel in list(self._positions):
            self.unsubscribe(channel)

    def subscribe(self, channel: str, since: str | None = None) -> str:
        """Read this channel too; returns the id to go on from. Does nothing when it already is.

        Raises :class:`~django_websocket.errors.BrokerError`, ``ValueError`` for a wrong name.
        """
        check_subscription(channel)
        if channel not in self._positions:
            position = self._hub.follow(self, channel, since, self._append)
            self._followed.add(channel)
            self._positions[channel] = position
        return self._positions[channel]

    def unsubscribe(self, channel: str) -> None:
        """Read this channel no longer. What of it waits here is still read."""
        self._positions.pop(channel, None)
        self._leave(channel)

    def receive(self, timeout: float | None = None) -> Message:
        """The next message, or the note of a gap (``message.gap``).

        Raises ``TimeoutError`` after ``timeout`` seconds without one, and
        :class:`~django_websocket.errors.BrokerError` when the history is needed and out of reach.
        """
        while True:
            with self._changed:
                if not self._changed.wait_for(self._has_news, timeout):
                    raise TimeoutError(f"no message for {timeout:g} s")
                if self._queue:
                    return self._take()
            self._catch_up()

    def __iter__(self) -> Iterator[Message]:
        """Messages, until none has come for the seconds that ``subscribe()`` was given."""
        while True:
            try:
                message = self.receive(self._timeout)
            except TimeoutError:
                return
            yield message

    # For the hub

    def new_group(self) -> Group[Any]:
        return _Readers()

    def put(self, message: Message) -> None:
        with self._changed:
            if self._lagging:
                return
            if self._size + message.size > self._limit and self._queue:
                counters.readers_lagging += 1
                self._lagging = True
            else:
                self._queue.append(message)
                self._size += message.size
            self._changed.notify_all()

    def _append(self, message: Message) -> None:
        """Like :meth:`put`, for what comes from the history, which has a bound of its own."""
        with self._changed:
            self._queue.append(message)
            self._size += message.size
            self._changed.notify_all()

    def _has_news(self) -> bool:
        return bool(self._queue) or self._lagging

    def _take(self) -> Message:
        message = self._queue.popleft()
        self._size -= message.size
        if message.channel in self._positions:
            self._positions[message.channel] = message.id
        return message

    def _catch_up(self) -> None:
        """Go back to the history, and from there on."""
        for channel in self._positions:
            self._leave(channel)
        self._lagging = False
        try:
            for channel, position in self._positions.items():
                self._hub.follow(self, channel, position, self._append)
                self._followed.add(channel)
        except BaseException:
            self._lagging = True
            raise

    def _leave(self, channel: str) -> None:
        if channel in self._followed:
            self._followed.remove(channel)
            self._hub.leave(self, channel)


class _Readers(Group[Reader]):
    def add(self, member: Reader) -> None:
        self.members[member] = member.put

    def deliver(self, message: Message) -> None:
        for put in self.members.values():
            put(message)
