"""Sockets whose clients see who is in a channel: first the whole list, then each change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django_websocket.connection.sendbuffer import Policy
from django_websocket.errors import ChannelError

from .dispatcher import Dispatcher
from .fanout import Key, Sockets, Subscription
from .message import Encode, Message, encode_presence

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket

__all__ = ["Watcher", "encode_presence"]

#: How many times in a row a list may become outdated while it is read.
_TRIES = 5


class Watcher(Subscription):
    """One socket that watches a channel."""

    __slots__ = ("_dispatcher",)

    def __init__(self, websocket: WebSocket, encode: Encode, dispatcher: Dispatcher) -> None:
        # No change is dropped: a client that misses one has a wrong list from then on.
        super().__init__(websocket, (encode, websocket._window_bits, "disconnect", None))
        self.group = ("watchers", self.group)
        self._dispatcher = dispatcher

    def new_group(self) -> Sockets:
        """The sockets that watch the channel and get the same frames."""
        return Watchers(self._dispatcher, *self.group[1])  # type: ignore[index]

    def send_roster(self, name: str) -> str:
        """Send the list of the presence channel ``name``; returns the position to go on from.

        Waits while the client does not read.
        """
        listed = self._dispatcher.rosters.get(name)
        self.send(listed)
        return listed.id

    def replay(self, message: Message) -> None:
        """Send a change from the history; for a gap, the whole list."""
        if message.gap:
            self._dispatcher.rosters.forget(message.channel)
            self.send_roster(message.channel)
        else:
            super().replay(message)


class Watchers(Sockets):
    """Sockets that all get the whole list again when changes are missing."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        encode: Encode,
        window_bits: int | None,
        policy: Policy,
        key: Key | None,
    ) -> None:
        super().__init__(encode, window_bits, policy, key)
        self._dispatcher = dispatcher

    def deliver(self, message: Message) -> None:
        if message.gap:
            task = partial(self._send_roster, message.channel)
            name = f"Presence list of {message.channel} (group {id(self):x})"
            self._dispatcher.chores.call(name, task)
        else:
            super().deliver(message)

    def _send_roster(self, name: str) -> None:
        """Raises :class:`~django_websocket.errors.BrokerError`."""
        for _ in range(_TRIES):
            self._dispatcher.rosters.forget(name)
            listed = self._dispatcher.rosters.get(name)
            # A change that the list includes may come after it. One that it does not include must
            # not have come before it.
            if self._dispatcher.at(name, listed.id, partial(super().deliver, listed)):
                return
        raise ChannelError(f"{name} changes faster than its list can be read")
