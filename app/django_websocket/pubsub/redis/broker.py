"""The backend for Redis and Valkey."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisClusterException, RedisError

from ...errors import BrokerError
from ..broker import CHANGES, CHANGES_TTL, REMEMBERED, Broker, History, Receiver, Roster
from ..message import CLEARED, ZERO, retraction
from .address import TIMEOUT, Address
from .cluster import Cluster
from .entries import CLEAR, PUBLISH, RETRACT, keys, stream_id, unpack
from .link import Link
from .presence import ATTEND, ROSTER, presence_keys
from .single import SingleServer

__all__ = ["RedisBroker"]

#: How many commands of one process wait for Redis at a time. It carries out one after the other.
_COMMANDS = 8

#: How many channels are read in one round trip.
_BATCH = 100


class RedisBroker(Broker):
    """One connection that listens, and up to eight that publish and read, each when needed."""

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self._redis = (
            Cluster(self._address) if self._address.cluster else SingleServer(self._address)
        )
        self._scripts: dict[str, Any] = {}
        self._slots = threading.BoundedSemaphore(_COMMANDS)
        self._ears = _Ears()
        self._link = Link(str(self._address), self._redis.session, self._ears)

    def publish(self, channel: str, payload: bytes, history: int, ttl: float) -> str:
        return self._publish(PUBLISH, channel, payload, history, ttl)

    def retract(self, channel: str, id: str, history: int, ttl: float) -> str:  # noqa: A002
        return self._publish(RETRACT, channel, retraction(id), history, ttl, stream_id(id))

    def clear(self, channel: str, ttl: float) -> str:
        return self._publish(CLEAR, channel, CLEARED, 1, ttl)

    def _publish(
        self, script: str, channel: str, payload: bytes, history: int, ttl: float, *more: str
    ) -> str:
        kept, remembered = int(ttl * 1000), int((ttl + REMEMBERED) * 1000)
        with self._command():
            published: bytes = self._script(script)(
                keys=keys(self._address.prefix, channel),
                args=[payload, history, kept, remembered, self._redis.publish_command, *more],
            )
        return published.decode()

    def _script(self, text: str) -> Any:
        if text not in self._scripts:
            self._scripts[text] = self._redis.client.register_script(text)
        return self._scripts[text]

    def read(self, positions: Sequence[tuple[str, str | None]]) -> list[History]:
        histories: list[History] = []
        for start in range(0, len(positions), _BATCH):
            with self._command():
                histories += self._read(positions[start : start + _BATCH])
        return histories

    def _read(self, positions: Sequence[tuple[str, str | None]]) -> list[History]:
        pipeline = self._redis.client.pipeline(transaction=False)
        for channel, position in positions:
            last, stream = keys(self._address.prefix, channel)
            pipeline.get(last)
            if position is not None:
                pipeline.xrange(stream, f"({stream_id(position)}")
        replies = iter(pipeline.execute())
        return [
            _history(next(replies), () if position is None else next(replies))
            for _, position in positions
        ]

    def attend(
        self, channel: str, process: str, counts: Mapping[str, int], ttl: float, stamp: str | None
    ) -> str | None:
        words = [item for pair in counts.items() for item in pair]
        told = self._presence(ATTEND, channel, process, int(ttl * 1e6), stamp or "", *words)
        return told.decode() if told else None

    def roster(self, channel: str) -> Roster:
        position, fields = self._presence(ROSTER, channel)
        names = (name.decode() for name in fields[::2])
        return Roster(dict(zip(names, map(int, fields[1::2]), strict=True)), position.decode())

    def _presence(self, script: str, channel: str, *words: str | int) -> Any:
        kept, remembered = int(CHANGES_TTL * 1000), int((CHANGES_TTL + REMEMBERED) * 1000)
        told = [CHANGES, kept, remembered, self._redis.publish_command, remembered]
        with self._command():
            return self._script(script)(
                keys=presence_keys(self._address.prefix, channel), args=[*told, *words]
            )

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
        with self._command():
            self._redis.client.set(f"{self._address.prefix}:check", "", px=1000)
        self._link.check()

    def close(self) -> None:
        self._link.close()
        self._redis.close()

    @contextmanager
    def _command(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=TIMEOUT):
            raise BrokerError(f"{self._address}: {_COMMANDS} commands are waiting already")
        try:
            yield
        except (RedisError, RedisClusterException, OSError) as error:
            raise BrokerError(f"{self._address}: {error}") from error
        finally:
            self._slots.release()


def _history(last: bytes | None, kept: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> History:
    found = (unpack(fields.get(b"m", b"")) for _, fields in kept)
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
