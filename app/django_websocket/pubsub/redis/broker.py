"""The backend for Redis and Valkey."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from ...errors import BrokerError
from ..broker import CHANGES, CHANGES_TTL, REMEMBERED, Broker, History, Receiver, Roster
from ..message import CLEARED, ZERO, retraction
from .address import Address
from .cluster import Cluster
from .commands import Commands
from .entries import CLEAR, PUBLISH, RETRACT, Script, keys, stream_id, unpack
from .link import Link
from .presence import ATTEND, ROSTER, presence_keys
from .single import SingleServer

__all__ = ["RedisBroker"]

_Word: TypeAlias = str | bytes | int

#: How many channels are read in one round trip.
_BATCH = 100


class RedisBroker(Broker):
    """One connection that listens, and one that publishes and reads, each made when needed."""

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self._redis = (
            Cluster(self._address) if self._address.cluster else SingleServer(self._address)
        )
        self._commands = Commands(str(self._address), self._redis, self._address.timeout)
        self._ears = _Ears()
        self._link = Link(str(self._address), self._redis.session, self._ears)

    def publish(self, channel: str, payload: bytes, history: int, ttl: float) -> str:
        return self._publish(PUBLISH, channel, payload, history, ttl)

    def retract(self, channel: str, id: str, history: int, ttl: float) -> str:  # noqa: A002
        return self._publish(RETRACT, channel, retraction(id), history, ttl, stream_id(id))

    def clear(self, channel: str, ttl: float) -> str:
        return self._publish(CLEAR, channel, CLEARED, 1, ttl)

    def _publish(
        self, script: Script, channel: str, payload: bytes, history: int, ttl: float, *more: str
    ) -> str:
        kept, remembered = int(ttl * 1000), int((ttl + REMEMBERED) * 1000)
        published: bytes = self._script(
            script,
            keys(self._address.prefix, channel),
            [payload, history, kept, remembered, self._redis.publish_command, *more],
        )
        return published.decode()

    def read(self, positions: Sequence[tuple[str, str | None]]) -> list[History]:
        histories: list[History] = []
        for start in range(0, len(positions), _BATCH):
            histories += self._read(positions[start : start + _BATCH])
        return histories

    def _read(self, positions: Sequence[tuple[str, str | None]]) -> list[History]:
        commands: list[Sequence[_Word]] = []
        for channel, position in positions:
            last, stream = keys(self._address.prefix, channel)
            commands.append(("GET", last))
            if position is not None:
                commands.append(("XRANGE", stream, f"({stream_id(position)}", "+"))
        replies = iter(self._run(*commands) if commands else ())
        return [
            _history(next(replies), () if position is None else next(replies))
            for _, position in positions
        ]

    def attend(
        self, channel: str, process: str, counts: Mapping[str, int], ttl: float, stamp: str | None
    ) -> str | None:
        words: list[str | int] = [item for pair in counts.items() for item in pair]
        told = self._presence(ATTEND, channel, process, int(ttl * 1e6), stamp or "", *words)
        return told.decode() if told else None

    def roster(self, channel: str) -> Roster:
        position, fields = self._presence(ROSTER, channel)
        names = (name.decode() for name in fields[::2])
        return Roster(dict(zip(names, map(int, fields[1::2]), strict=True)), position.decode())

    def _presence(self, script: Script, channel: str, *words: str | int) -> Any:
        kept, remembered = int(CHANGES_TTL * 1000), int((CHANGES_TTL + REMEMBERED) * 1000)
        told: list[str | int] = [CHANGES, kept, remembered, self._redis.publish_command, remembered]
        return self._script(script, presence_keys(self._address.prefix, channel), [*told, *words])

    def _script(self, script: Script, keys: Sequence[str], words: Sequence[_Word]) -> Any:
        arguments = (len(keys), *keys, *words)
        began = time.monotonic()
        [reply] = self._commands.run(("EVALSHA", script.sha, *arguments))
        if isinstance(reply, NoScriptError):
            spent = time.monotonic() - began
            [reply] = self._commands.run(("EVAL", script.text, *arguments), spent=spent)
        return self._accepted(reply)

    def _run(self, *commands: Sequence[_Word]) -> list[Any]:
        return [self._accepted(reply) for reply in self._commands.run(*commands)]

    def _accepted(self, reply: Any) -> Any:
        if isinstance(reply, Exception):
            raise BrokerError(f"{self._address}: {reply}") from reply
        return reply

    def listen(self, receiver: Receiver) -> None:
        self._ears.receiver = receiver

    def subscribe(self, channel: str) -> None:
        name = keys(self._address.prefix, channel)[0].encode()
        self._ears.names[name] = channel
        self._link.subscribe(name)

    def unsubscribe(self, channel: str) -> None:
        name = keys(self._address.prefix, channel)[0].encode()
        self._ears.names.pop(name, None)
        self._link.unsubscribe(name)

    def check(self) -> None:
        # A Redis that is full, or a replica, answers and yet takes nothing.
        self._run(("SET", f"{self._address.prefix}:check", "", "PX", 1000))
        self._link.check()

    def close(self) -> None:
        self._link.close()
        self._commands.close()
        self._redis.close()


def _history(last: bytes | None, kept: Sequence[tuple[bytes, list[bytes]]]) -> History:
    # A stream's entry is its id, and names and values in turn; ours has one, b"m".
    found = (unpack(fields[1]) for _, fields in kept)
    entries = [entry for entry in found if entry is not None]
    # Something may have been published between the two answers.
    newest = entries[-1].id if entries else ZERO
    return History(entries, max(last.decode() if last else ZERO, newest))


class _Ears:
    """Passes on what a link hears, by the names that channels have outside of Redis."""

    def __init__(self) -> None:
        self.names: dict[bytes, str] = {}
        self.receiver: Receiver | None = None

    def subscribed(self, channels: Collection[bytes]) -> None:
        if self.receiver is not None:
            self.receiver.subscribed(self._known(channels))

    def lost(self, channels: Collection[bytes]) -> None:
        if self.receiver is not None:
            self.receiver.lost(self._known(channels))

    def message(self, channel: bytes, data: bytes) -> None:
        name, entry = self.names.get(channel), unpack(data)
        if name is not None and entry is not None and self.receiver is not None:
            self.receiver.message(name, entry)

    def _known(self, channels: Collection[bytes]) -> list[str]:
        return [self.names[name] for name in channels if name in self.names]
