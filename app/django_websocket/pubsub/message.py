"""A published message: its id, its channel, its data, and how it is encoded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any

from django_websocket.serializers.djangojson import dumps

from .metadata import SEPARATOR_IN_JSON, readable

__all__ = [
    "BEGINNING",
    "CLEARED",
    "ZERO",
    "Encode",
    "Message",
    "ReservedChannel",
    "check_channel",
    "check_id",
    "check_name",
    "check_subscription",
    "edition",
    "encode",
    "encode_presence",
    "is_id",
    "make_id",
    "pack",
    "pack_json",
    "presence_channel",
    "presence_of",
    "retraction",
]

#: The position before a channel's first message.
ZERO = "0000000000000-000000"

#: As ``since``: all that the history holds, without a gap message for what it no longer holds.
BEGINNING = "0"

#: The longest name of a channel, in characters.
MAX_CHANNEL_LENGTH = 200

#: The longest name of a user in a channel, in characters. Django's usernames have up to 150.
MAX_NAME_LENGTH = 200

#: How the names of the library's own channels begin.
_RESERVED = "django_websocket."

_CHANNEL = re.compile(rf"[^\s{{}}\x00-\x1f\x7f\ud800-\udfff]{{1,{MAX_CHANNEL_LENGTH}}}")
_PRESENCE = re.compile(rf"\{{({_CHANNEL.pattern})\}}:presence")
_NAME = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{MAX_NAME_LENGTH}}}")
_ID = re.compile(r"[0-9]{13}-[0-9]{6}")

#: The first byte of a payload: the type of the rest.
_JSON, _BYTES, _RETRACTED, _CLEARED, _EDITED = b"j", b"b", b"r", b"c", b"e"

#: How many characters an id has.
_ID_LENGTH = 20

_MARK_OF_METADATA = SEPARATOR_IN_JSON.encode()

#: The payload of the notice that a channel's history has been cleared.
CLEARED = _CLEARED


class ReservedChannel(str):
    """The name of one of the library's own channels.

    An ordinary text with the same characters, from a client say, names no channel: nobody joins
    one of these by mistake.
    """

    __slots__ = ()


def check_channel(channel: str) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless ``channel`` is a valid channel name."""
    if not isinstance(channel, str):
        raise TypeError(f"expected a channel's name as str, found {type(channel).__name__}")
    if not _CHANNEL.fullmatch(channel):
        raise ValueError(
            f"expected a channel's name of 1 to {MAX_CHANNEL_LENGTH} characters without spaces, "
            f"control characters, braces and lone surrogates, found "
            f"{channel[: MAX_CHANNEL_LENGTH + 1]!r}"
        )
    if channel.startswith(_RESERVED):
        _check_reserved(channel)


def _check_reserved(name: str) -> None:
    """Raises ``ValueError`` for a text that only looks like one of the library's own channels."""
    if not isinstance(name, ReservedChannel):
        raise ValueError(
            f"names that begin with {_RESERVED!r} are the library's, found {name!r}: for the "
            "channel of a user, call user_channel(user)"
        )


def presence_channel(channel: str) -> str:
    """The channel to subscribe to for who joins and leaves ``channel``.

    A message's data is ``{"joined": [names], "left": [names]}``. Raises ``TypeError`` and
    ``ValueError`` as for a channel's name.
    """
    check_channel(channel)
    name = "{" + channel + "}:presence"  # an Enum member formats differently
    return ReservedChannel(name) if isinstance(channel, ReservedChannel) else name


def presence_of(name: str) -> str | None:
    """The channel whose presence changes are published to ``name``; None for any other name."""
    found = _PRESENCE.fullmatch(name)
    if found is None:
        return None
    return ReservedChannel(found[1]) if found[1].startswith(_RESERVED) else found[1]


def check_subscription(name: str) -> None:
    """Like :func:`check_channel`, but allows presence channels, too."""
    watched = presence_of(name) if isinstance(name, str) else None
    if watched is None:
        check_channel(name)
    elif isinstance(watched, ReservedChannel):
        _check_reserved(name)


def check_name(name: str) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless ``name`` is valid for presence."""
    if not isinstance(name, str):
        raise TypeError(f"expected a name as str, found {type(name).__name__}")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"expected a name of 1 to {MAX_NAME_LENGTH} characters without control characters and "
            f"lone surrogates, found {name[: MAX_NAME_LENGTH + 1]!r}"
        )


def make_id(milliseconds: int, sequence: int) -> str:
    """The id of a message: Unix time and a count within it. Ids sort as text."""
    return f"{milliseconds:013d}-{sequence:06d}"


def is_id(text: str) -> bool:
    """Whether ``text`` is a valid message id."""
    return _ID.fullmatch(text) is not None


def check_id(id: str) -> None:  # noqa: A002
    """Raises ``TypeError`` or ``ValueError`` unless ``id`` is a valid message id."""
    if not isinstance(id, str):
        raise TypeError(f"expected a message's id as str, found {type(id).__name__}")
    if not is_id(id):
        raise ValueError(
            f"expected a message's id as publish() returns it, like {make_id(1767225600000, 0)}, "
            f"found {id[:100]!r}"
        )


def retraction(id: str) -> bytes:  # noqa: A002
    """The payload of the notice that a message has been taken back."""
    return _RETRACTED + id.encode()


def edition(id: str, payload: bytes) -> bytes:  # noqa: A002
    """The payload of the message that gives an earlier one another content."""
    return _EDITED + id.encode() + payload


def pack(message: Any) -> bytes:
    """The payload that brokers carry: ``bytes`` as they are, anything else as JSON.

    JSON as Django writes it, so dates, ``Decimal``, ``UUID`` and lazy texts are fine. Raises
    ``TypeError`` for a value of another type, ``ValueError`` for NaN, infinity and lone surrogates.
    Both name the place.
    """
    if isinstance(message, bytes | bytearray | memoryview):
        return _BYTES + bytes(message)
    return _JSON + dumps(message).encode()


def pack_json(message: Any) -> bytes:
    """:func:`pack`, but bytes are a ``TypeError``."""
    if isinstance(message, bytes | bytearray | memoryview):
        raise TypeError(
            "expected a JSON-serialisable value, found bytes: clients do not know their id"
        )
    return pack(message)


#: Bytes of a message in memory besides its payload.
_OVERHEAD = 256


class Message:
    """One message of a channel, or a notice about its messages, whose ``data`` is None.

    ``id``
        Grows with every message of the channel; ids sort as text. To resume after this message,
        subscribe with ``since=id``.
    ``gap``
        True: this is not a message, but marks messages that the history no longer holds; ``id`` is
        that of the last missing one.
    ``retracted``
        The id of the message that has been taken back. It is this message's own id if it replaces
        the retracted one in the history. None: nothing has been taken back.
    ``cleared``
        True: all earlier messages have been removed from the history.
    ``edited``
        The id of the earlier message whose ``data`` is now this one's; None: this is a message of
        its own. An edited message is no notice: it has data, and is encoded like any other.
    """

    def __init__(self, channel: str, id: str, payload: bytes | None) -> None:  # noqa: A002
        self.channel = channel
        self.id = id
        self.gap = payload is None
        self.edited: str | None = None
        if payload is not None and payload[:1] == _EDITED:
            self.edited = payload[1 : _ID_LENGTH + 1].decode()
            payload = payload[_ID_LENGTH + 1 :]
        self._payload = payload or _JSON + b"null"
        #: Whether it is a notice about messages, and not a published one.
        self.notice = payload is None or payload[:1] in (_RETRACTED, _CLEARED)
        #: The frames that sockets share: see :mod:`.frames`.
        self.frames: dict[Hashable, bytes] = {}

    def __repr__(self) -> str:
        kind = ("gap" if self.gap else "notice") if self.notice else "Message"
        return f"<{kind} {self.id} in {self.channel}>"

    @property
    def changes_history(self) -> bool:
        """Whether earlier messages are no longer what they were when they were delivered."""
        return self.notice or self.edited is not None

    @property
    def size(self) -> int:
        """Roughly how many bytes it takes in memory."""
        return len(self._payload) + _OVERHEAD

    @property
    def binary(self) -> bool:
        """Whether bytes were published."""
        return self._payload[:1] == _BYTES

    @property
    def retracted(self) -> str | None:
        """The id of the message that this one takes back; None for any other message."""
        return self._payload[1:].decode() if self._payload[:1] == _RETRACTED else None

    @property
    def cleared(self) -> bool:
        """Whether this message says that the channel's history has been cleared."""
        return self._payload[:1] == _CLEARED

    @cached_property
    def data(self) -> Any:
        """What was published: bytes, or a JSON value (a ``str`` is one)."""
        if self.notice:
            return None
        if self.binary:
            return self._payload[1:]
        value = json.loads(self._payload[1:])
        if _MARK_OF_METADATA in self._payload and presence_of(self.channel):
            return readable(value)
        return value

    @property
    def json(self) -> str:
        """``data`` as JSON text, without decoding it. Raises ``ValueError`` for bytes."""
        if self.binary:
            raise ValueError(f"{self!r} carries bytes, which JSON cannot represent")
        if self.notice:
            return "null"
        return self._payload[1:].decode()


#: Converts a message to what a client gets: ``str`` is sent as text, ``bytes`` as binary.
Encode = Callable[[Message], str | bytes]


def encode(message: Message) -> str | bytes:
    """What a client gets: ``{"id": …, "channel": …, "data": …}``; published bytes as they are.

    A gap is ``{"id": …, "channel": …, "gap": true}``. In the same way there is ``"cleared": true``,
    and ``"retracted"`` with the id of the message that has been taken back. What has been edited is
    ``{"id": …, "channel": …, "edited": "<id>", "data": …}``.
    """
    if message.binary:
        return message._payload[1:]
    content = _notice(message) if message.notice else f'"data":{message.json}'
    if message.edited is not None:
        content = f'"edited":"{message.edited}",{content}'
    return f'{{"id":"{message.id}","channel":{dumps(message.channel)},{content}}}'


def _notice(message: Message) -> str:
    if message.gap:
        return '"gap":true'
    return '"cleared":true' if message.cleared else f'"retracted":"{message.retracted}"'


def encode_presence(message: Message) -> str:
    """What a client gets: ``{"channel": …, "present": […]}``, and then
    ``{"channel": …, "joined": […], "left": […]}``.

    An entry is a name, or ``{"name": …, "meta": …}`` where ``enter()`` was given metadata.

    It has no id: a client that reconnects gets the whole list again.
    """
    if _MARK_OF_METADATA in message._payload:
        return dumps({"channel": presence_of(message.channel), **message.data})
    return f'{{"channel":{dumps(presence_of(message.channel))},{message.json[1:]}'
