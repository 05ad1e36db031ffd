"""Sockets whose clients are told who is in a channel: first the list, then each change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django_websocket.errors import ChannelError

from .fanout import (
    Member,
    Sockets,
)
from .message import (
    Encode,
    Message,
    encode_presence,
)
from .process import get_dispatcher

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket

__all__ = ["Watcher", "encode_presence"]

#: How often a list is read in a row that is older than the last change by then.
_TRIES = 5


class Watcher(Member):
    """One socket that watches a channel."""

    __slots__ = ()

    def __init__(self, websocket: WebSocket, encode: Encode) -> None:
        # Who misses a change believes in ghosts from then on, so none is dropped.
        super().__init__(websocket, (encode, websocket._window_bits, "disconnect", None))
        self.group = ("watchers", self.group)

    def new_group(self) -> Sockets:
        return Watchers(*self.group[1])  # type: ignore[index]

    def tell_list(self, name: str) -> str:
        """Send the list of the presence channel ``name``; returns the position to go on from.

        Waits while the client does not read.
        """
        listed = get_dispatcher().lists.get(name)
        super().replay(listed)
        return listed.id

    def replay(self, message: Message) -> None:
        if message.gap:
            get_dispatcher().lists.forget(message.channel)
            self.tell_list(message.channel)
        else:
            super().replay(message)


class Watchers(Sockets):
    """Where changes are missing, all are told the list anew."""

    def deliver(self, message: Message) -> None:
        if message.gap:
            task = partial(self._tell_list, message.channel)
            name = f"The list of who is in {message.channel} (group {id(self):x})"
            get_dispatcher().chores.call(name, task)
        else:
            super().deliver(message)

    def _tell_list(self, name: str) -> None:
        """Raises :class:`~django_websocket.errors.BrokerError`."""
        dispatcher = get_dispatcher()
        for _ in range(_TRIES):
            dispatcher.lists.forget(name)
            listed = dispatcher.lists.get(name)
            # Changes that the list knows already may come after it, but none may have come before
            # it that it does not know.
            if dispatcher.at(name, listed.id, partial(super().deliver, listed)):
                return
        raise ChannelError(f"{name} changes faster than its list can be read")
