"""Replies of Redis, and whether an error affects one channel or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from django_websocket.errors import BrokerError, ChannelError
from django_websocket.pubsub.brokers.base import History, Roster
from django_websocket.pubsub.message import ZERO, is_id, make_id

from .scripts import unpack

__all__ = ["facts_of", "history_of", "refusal", "roster_of"]

#: How Redis begins an error that is not about a single key.
_OF_ALL = (
    "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOAUTH", "NOPERM", "NOREPLICAS",
    "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "WRONGPASS",
)  # fmt: skip


def refusal(where: str, error: Exception) -> BrokerError:
    """What a call raises for ``error``. A key of a wrong type, or data that a script cannot use,
    affects one channel."""
    # Those with a class of their own are not the keys' fault: no memory, no master. A user may have
    # no right to a command, or none to these keys.
    own = type(error) is ResponseError and not str(error).startswith(_OF_ALL)
    own = own or (isinstance(error, NoPermissionError) and " to access " in str(error))
    return (ChannelError if own else BrokerError)(f"{where}: {error}")


def history_of(
    last: bytes | None, kept: Sequence[tuple[bytes, bytes]] = (), limit: int | None = None
) -> History:
    """A channel's history from the value of its key, and the ids and messages of its stream.

    Raises ``ValueError`` when somebody else has written it.
    """
    newest = ZERO if last is None else last.decode("ascii", "replace")
    if not is_id(newest):
        raise ValueError(f"expected the id of a message, found {newest!r}")
    entries = [entry for _, message in kept if (entry := unpack(message)) is not None]
    more = None
    if limit is not None and len(kept) >= limit:
        more = entries[-1].id if entries else _message_id(kept[-1][0])
    if entries:
        # A message may have been published between the two replies.
        newest = max(newest, entries[-1].id)
    return History(entries, newest, more)


def roster_of(position: bytes, fields: Sequence[bytes]) -> Roster:
    """Raises ``ValueError`` when somebody else has written it."""
    names = (name.decode() for name in fields[::2])
    people = dict(zip(names, map(int, fields[1::2]), strict=True))
    return Roster(people, position.decode("ascii"))


def facts_of(info: Any, channels: Any) -> dict[str, str]:
    """What Redis says about itself, from the replies to INFO and PUBSUB CHANNELS, or the errors."""
    facts = {}
    if isinstance(info, Exception):
        facts["server"] = f"unknown: {info}"
    else:
        lines = info.decode("utf-8", "replace").splitlines()
        found = dict(line.split(":", 1) for line in lines if ":" in line)
        name = found.get("server_name", "redis")
        version = found.get(f"{name}_version") or found.get("redis_version", "?")
        facts["server"] = (
            f"{name.capitalize()} {version}, {found.get('role', '?')}, up "
            f"{found.get('uptime_in_days', '?')} days"
        )
        most = found.get("maxmemory_human", "?")
        facts["memory"] = (
            f"{found.get('used_memory_human', '?')} used, maxmemory "
            f"{'not set' if most == '0B' else most}, {found.get('maxmemory_policy', '?')}, "
            f"{found.get('evicted_keys', '?')} keys evicted since it started"
        )
        facts["connections"] = f"{found.get('connected_clients', '?')}, of all programs"
    if isinstance(channels, Exception):
        facts["channels"] = f"unknown: {channels}"
    else:
        facts["channels"] = f"{len(channels)} with subscribers now, the library's own included"
    return facts


def _message_id(stream_id: Any) -> str:
    milliseconds, _, count = stream_id.decode().partition("-")
    return make_id(int(milliseconds), min(int(count), 999_999))
