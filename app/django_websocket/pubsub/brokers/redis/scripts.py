"""How channels and presence are stored in Redis, and the scripts that Redis runs on them.

The scripts are the ``.lua`` files beside this one; those that begin with ``lib_`` are the first
lines of others.

``<prefix>:{<channel>}``
    As a key: the id of the channel's last message. As a pub/sub channel: its messages.
``<prefix>:{<channel>}:history``
    A stream of the channel's last messages, each in its field ``m``.
``<prefix>:mark``
    An id: since when Redis has not been flushed. Not in a cluster.

A message is its id and the previous message's, of 20 characters each, and its payload.

``<prefix>:{<channel>}:presence``
    The presence channel: its key and its messages are like any channel's.
``<prefix>:{<channel>}:presence:names``
    A hash: the count of sockets by name, of all processes.
``<prefix>:{<channel>}:presence:counts``
    A hash: the same by ``<process>/<name>``, so that a dead process can be subtracted.
``<prefix>:{<channel>}:presence:processes``
    A sorted set: when the entries of each process expire, in microseconds. This is its stamp, too:
    a Redis that has been restored to older data has another one.

The braces keep all keys of a channel on one node of a cluster.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

from django_websocket.pubsub.brokers.base import Entry
from django_websocket.pubsub.message import is_id, presence_channel, presence_of

__all__ = [
    "ANNOUNCE",
    "BEGUN",
    "CLEAR",
    "EDIT",
    "MAKE_ROOM",
    "MARK",
    "PUBLISH",
    "RETRACT",
    "ROSTER",
    "Script",
    "histories",
    "keys",
    "mark_key",
    "presence_keys",
    "stream_id",
    "unpack",
]

_ID_LENGTH = 20


class Script:
    """A step that Redis runs atomically, and its name in Redis.

    ``names``: the ``.lua`` files that make the script, in order.
    """

    def __init__(self, *names: str) -> None:
        folder = files(__package__)
        self.text = "".join(folder.joinpath(f"{name}.lua").read_text("utf-8") for name in names)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


PUBLISH = Script("lib_publish", "publish")
RETRACT = Script("lib_publish", "lib_change", "lib_rewrite", "retract")
EDIT = Script("lib_publish", "lib_change", "lib_rewrite", "edit")
CLEAR = Script("lib_publish", "lib_change", "clear")
ANNOUNCE = Script("lib_publish", "lib_presence", "announce")
ROSTER = Script("lib_publish", "lib_presence", "roster")
BEGUN = Script("begun")
MARK = Script("mark")
MAKE_ROOM = Script("make_room")


def mark_key(prefix: str) -> str:
    """The key of the mark, which is not a channel's key: those have braces."""
    return f"{prefix}:mark"


def keys(prefix: str, channel: str) -> tuple[str, str]:
    """The channel's two keys."""
    # No f-string: an Enum member that is a str formats differently.
    key = prefix + ":" + (channel if presence_of(channel) else "{" + channel + "}")
    return key, f"{key}:history"


def histories(prefix: str) -> str:
    """What the keys of all histories match, as SCAN understands it."""
    return _literally(prefix) + ":*:history"


def channels(prefix: str) -> str:
    """What all channels but those of presence match, as PUBSUB understands it."""
    return _literally(prefix) + ":{*}"


def _literally(text: str) -> str:
    return re.sub(r"([\\*?\[\]^-])", r"\\\1", text)


def presence_keys(prefix: str, channel: str) -> list[str]:
    """The five keys of a channel's presence."""
    key, stream = keys(prefix, presence_channel(channel))
    return [key, stream, *(f"{key}:{kind}" for kind in ("names", "counts", "processes"))]


def stream_id(id: str) -> str:  # noqa: A002
    """A message's id as the stream has it."""
    milliseconds, _, count = id.partition("-")
    return f"{int(milliseconds)}-{int(count)}"


def unpack(message: bytes) -> Entry | None:
    """What :data:`PUBLISH` sent. None for a message of another program."""
    header = message[: 2 * _ID_LENGTH].decode("ascii", "replace")
    id, previous = header[:_ID_LENGTH], header[_ID_LENGTH:]  # noqa: A001
    if not is_id(id) or not is_id(previous) or id <= previous:
        return None
    return Entry(id, previous, message[2 * _ID_LENGTH :])
