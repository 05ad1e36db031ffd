"""Whispers: messages of one client to the others in a channel, of which none is kept.

They have a channel of their own, since a client that missed some has missed nothing.
"""

from __future__ import annotations

import logging
from functools import partial
from hashlib import sha256
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any

from django_websocket.connection.leakybucket import fill
from django_websocket.serializers.djangojson import dumps

from .fanout import Sockets, Subscription
from .frames import frame_of
from .message import MAX_CHANNEL_LENGTH, Message, ReservedChannel, check_channel, pack

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket

__all__ = ["Sender", "Whisperer", "whisper_channel"]

logger = logging.getLogger("django_websocket")

#: How many whispers a second a socket may send, on average, and how many at once.
_RATE, _AT_ONCE = 10, 20

_PREFIX, _LONG_PREFIX = "django_websocket.whispers.", "django_websocket.whispers-sha256."


def whisper_channel(channel: str) -> ReservedChannel:
    """The channel of the whispers in ``channel``. Raises as :func:`check_channel` does."""
    check_channel(channel)
    name = _PREFIX + str.__str__(channel)
    if len(name) > MAX_CHANNEL_LENGTH:
        name = _LONG_PREFIX + sha256(name.encode()).hexdigest()
    return ReservedChannel(name)


class Sender:
    """What a socket is as a sender. Its ``key`` is known to the processes only."""

    __slots__ = ("_empty_at", "key")

    def __init__(self) -> None:
        self.key = token_hex(8)
        #: When the bucket of the rate is empty, in time.monotonic().
        self._empty_at = 0.0

    def pack(self, channel: str, name: str | None, data: Any) -> bytes:
        """The payload of a whisper. Raises as :func:`~.message.pack` does."""
        content = {"channel": channel} | ({"from": name} if name is not None else {})
        return pack({"sender": self.key, "content": {**content, "whisper": data}})

    def may_send(self) -> bool:
        """Whether it may send one more now."""
        empty_at = fill(self._empty_at, 1 / _RATE, _AT_ONCE / _RATE, monotonic())
        if empty_at is None:
            return False
        self._empty_at = empty_at
        return True


def _encode(message: Message) -> str:
    return dumps(message.data["content"])


class Whisperer(Subscription):
    """One socket that gets the others' whispers. ``key`` is its own as a sender."""

    __slots__ = ("key",)

    def __init__(self, websocket: WebSocket, key: str) -> None:
        super().__init__(websocket, (_encode, websocket._window_bits, "drop_oldest", None))
        self.group = ("whispers", self.group)
        self.key = key

    def new_group(self) -> Sockets:
        """The sockets that get the same frames."""
        return _Whisperers(*self.group[1])  # type: ignore[index]

    def replay(self, message: Message) -> None:
        """Nothing is kept, and what is missing is not missed."""


class _Whisperers(Sockets):
    """A slow client misses whispers, and nothing else for their sake."""

    members: dict[Whisperer, Any]  # type: ignore[assignment]

    def deliver(self, message: Message) -> None:
        if message.gap:
            return
        try:
            sender = message.data["sender"]
            frame = frame_of(message, _encode, self._window_bits)
        except (KeyError, TypeError):
            logger.warning("Ignored %r, which is no whisper that this version knows", message)
            return
        others = [socket for member, socket in self.members.items() if member.key != sender]
        self._call_at_home(partial(self._whisper, others, frame))

    def _whisper(self, sockets: list[WebSocket], frame: bytes) -> None:
        for websocket in sockets:
            websocket._deliver(frame, "drop_oldest")
