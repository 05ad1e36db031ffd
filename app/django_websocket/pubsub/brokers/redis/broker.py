"""The backend for Redis and Valkey."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from redis.exceptions import OutOfMemoryError

from django_websocket.errors import BrokerError, ChannelError
from django_websocket.pubsub.brokers.base import (
    CHANGES,
    CHANGES_TTL,
    REMEMBERED,
    UNKNOWN,
    Broker,
    History,
    Presence,
    Receiver,
    Roster,
    Wanted,
)
from django_websocket.pubsub.message import CLEARED, ZERO, edition, is_id, make_id, retraction

from .address import Address
from .cluster import Cluster
from .commands import Commands
from .listener import Listener
from .replies import facts_of, history_of, refusal, roster_of
from .room import Room
from .scripts import (
    ANNOUNCE,
    BEGUN,
    CLEAR,
    EDIT,
    MARK,
    PUBLISH,
    RETRACT,
    ROSTER,
    Script,
    channels,
    keys,
    mark_key,
    presence_keys,
    stream_id,
    unpack,
)
from .single import SingleServer

__all__ = ["RedisBroker"]

logger = logging.getLogger("django_websocket")

_Argument: TypeAlias = str | bytes | int

#: For how many channels the node of a cluster is remembered.
_NODES = 10_000

#: How many channels are read in one round trip.
_BATCH = 100


class RedisBroker(Broker, Presence):
    """One connection that listens, and one that publishes and reads, each opened on first use."""

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self._redis = (
            Cluster(self._address) if self._address.cluster else SingleServer(self._address)
        )
        self._commands = Commands(str(self._address), self._redis, self._address.timeout)
        #: Since when Redis, or a channel's node, has been running, as an id.
        self._begun: dict[str, str] = {}
        #: Since when Redis has not been flushed, as an id. ZERO: unknown, as for a cluster.
        self._mark = ZERO
        self._marked = False
        #: The command that ends when the replicas have what was written, if somebody wants it.
        milliseconds = int(self._address.timeout * 1000 / 2)
        wait = self._address.wait
        self._copied = [("WAIT", wait, milliseconds)] if wait else []
        #: How many bytes a channel's history may take, as the script's argument.
        self._most: tuple[int, ...] = ()
        self._room = Room(self._address, self._commands)
        self._translator = _Translator(self.answer, self._begun.clear)
        self._listener = Listener(str(self._address), self._redis.subscriber, self._translator)

    def keep_at_most(self, size: int) -> None:
        self._most = (size,)

    def publish(self, channel: str, payload: bytes, history: int, ttl: float) -> str:
        return str(self._publish(PUBLISH, channel, payload, history, ttl, *self._most))

    def retract(self, channel: str, id: str, history: int, ttl: float) -> str:  # noqa: A002
        notice = retraction(id)
        return str(self._publish(RETRACT, channel, notice, history, ttl, stream_id(id), id, notice))

    def edit(
        self,
        channel: str,
        id: str,  # noqa: A002
        payload: bytes,
        history: int,
        ttl: float,
    ) -> str | None:
        notice = edition(id, payload)
        return self._publish(EDIT, channel, notice, history, ttl, stream_id(id), id, payload)

    def clear(self, channel: str, ttl: float) -> str:
        return str(self._publish(CLEAR, channel, CLEARED, 1, ttl))

    def _publish(
        self,
        script: Script,
        channel: str,
        payload: bytes,
        history: int,
        ttl: float,
        *more: _Argument,
    ) -> str | None:
        if not (self._marked or self._address.cluster):
            # A position is in doubt unless it is newer than the mark, by a millisecond.
            self._note(None)
            time.sleep(0.002)
        kept, remembered = max(1, int(ttl * 1000)), int((ttl + REMEMBERED) * 1000)
        published: bytes | None = self._script(
            script,
            keys(self._address.prefix, channel),
            [payload, history, kept, remembered, self._redis.publish_command, *more],
            *self._copied,
        )
        return None if published is None else published.decode()

    def read(
        self, positions: Sequence[tuple[str, str | None]], limit: int | None = None
    ) -> list[History]:
        histories: list[History] = []
        for start in range(0, len(positions), _BATCH):
            batch = positions[start : start + _BATCH]
            replies = iter(self._read(batch, limit))
            for channel, position in batch:
                last, kept = next(replies), () if position is None else next(replies)
                history = self._history(last, kept, limit)
                while history.more is not None and not history.entries:  # nothing of ours
                    last, kept = self._read([(channel, history.more)], limit)
                    history = self._history(last, kept, limit)
                histories.append(self._with_doubts(history, channel, position))
        return histories

    def _read(self, positions: Sequence[tuple[str, str | None]], limit: int | None) -> list[Any]:
        """Replies, or errors in their place: the value of a key and, if there is a position, the
        entries after it."""
        few = () if limit is None else ("COUNT", limit)
        commands: list[Sequence[_Argument]] = []
        for channel, position in positions:
            last, stream = keys(self._address.prefix, channel)
            commands.append(("GET", last))
            if position is not None:
                commands.append(("XRANGE", stream, f"({stream_id(position)}", "+", *few))
        if not commands or self._address.cluster:
            return self._commands.run(*commands) if commands else []
        *replies, mark = self._commands.run(*commands, ("GET", mark_key(self._address.prefix)))
        self._note(mark)
        return replies

    def _note(self, mark: Any) -> None:
        if mark is None:
            mark = self._script(MARK, [mark_key(self._address.prefix)], ())
        text = mark.decode("ascii", "replace") if isinstance(mark, bytes) else ""
        self._mark = text if is_id(text) else ZERO
        self._marked = True

    def _history(self, last: Any, kept: Any, limit: int | None) -> History:
        """Raises :class:`BrokerError` unless the error is this channel's own."""
        try:
            for reply in (last, kept):
                if isinstance(reply, Exception):
                    raise refusal(str(self._address), reply) from reply
            # A stream entry is an id, and alternating names and values; ours has one name, b"m".
            messages = [(id, fields[1]) for id, fields in kept]  # noqa: A001
            return history_of(last, messages, limit)
        except ChannelError as error:
            return History((), ZERO, error=error)
        except ValueError as error:
            return History((), ZERO, error=ChannelError(f"{self._address}: {error}"))

    def _with_doubts(self, history: History, channel: str, position: str | None) -> History:
        """Set :attr:`History.whole_since` if it makes a difference."""
        before = history.entries[0].previous if history.entries else history.last
        if position is None or history.error is not None or before >= position:
            return history
        return history._replace(whole_since=self._whole_since(channel))

    def _whole_since(self, channel: str) -> str:
        # Each node of a cluster has started at its own time.
        node = channel if self._address.cluster else ""
        if node not in self._begun:
            if len(self._begun) > _NODES:
                self._begun.clear()
            try:
                begun: bytes = self._script(BEGUN, keys(self._address.prefix, channel), ())
                self._begun[node] = begun.decode()
            except BrokerError:  # most likely the user has no right to INFO
                self._begun[node] = UNKNOWN
        forgotten = make_id(int((time.time() - REMEMBERED) * 1000), 0)
        return max(self._begun[node], forgotten, self._mark)

    def announce(
        self, channel: str, process: str, counts: Mapping[str, int], ttl: float, stamp: str | None
    ) -> str | None:
        pairs: list[str | int] = [item for pair in counts.items() for item in pair]
        reply = self._presence(ANNOUNCE, channel, process, int(ttl * 1e6), stamp or "", *pairs)
        return reply.decode() if reply else None

    def roster(self, channel: str) -> Roster:
        position, fields = self._presence(ROSTER, channel)
        try:
            return roster_of(position, fields)
        except ValueError as error:
            raise ChannelError(f"{self._address}: {error}") from error

    def _presence(self, script: Script, channel: str, *more: str | int) -> Any:
        kept, remembered = int(CHANGES_TTL * 1000), int((CHANGES_TTL + REMEMBERED) * 1000)
        first = (CHANGES, kept, remembered, self._redis.publish_command, remembered)
        return self._script(script, presence_keys(self._address.prefix, channel), [*first, *more])

    def _script(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[_Argument],
        *then: Sequence[_Argument],
    ) -> Any:
        arguments, began = (len(keys), *keys, *arguments), time.monotonic()
        reply, *copies = self._commands.evaluate(script, arguments, began, *then)
        if isinstance(reply, OutOfMemoryError) and self._room.make(began):
            reply, *copies = self._commands.evaluate(script, arguments, began, *then)
        reply = self._accepted(reply)
        for copied in copies:
            self._require_copies(self._accepted(copied))
        return reply

    def _require_copies(self, copied: int) -> None:
        if copied < self._address.wait:
            raise BrokerError(
                f"{self._address}: expected {self._address.wait} replicas to have the message "
                f"within {self._address.timeout / 2:g} s, found {copied}; it may have been "
                "published all the same"
            )

    def _run(self, *commands: Sequence[_Argument]) -> list[Any]:
        return [self._accepted(reply) for reply in self._commands.run(*commands)]

    def _accepted(self, reply: Any) -> Any:
        if isinstance(reply, Exception):
            raise refusal(str(self._address), reply) from reply
        return reply

    def listen(self, receiver: Receiver) -> None:
        self._translator.receiver = receiver

    def subscribe(self, channel: str) -> None:
        name = keys(self._address.prefix, channel)[0].encode()
        self._translator.names[name] = channel
        self._listener.subscribe(name)

    def unsubscribe(self, channel: str) -> None:
        name = keys(self._address.prefix, channel)[0].encode()
        self._translator.names.pop(name, None)
        self._listener.unsubscribe(name)

    def check(self) -> None:
        # A full Redis, or a replica, answers but refuses writes.
        self._run(("SET", f"{self._address.prefix}:check", "", "PX", 1000))
        self._listener.check()

    def facts(self) -> Mapping[str, str]:
        if self._address.cluster:  # each node has its own
            return {}
        subscribed = ("PUBSUB", "CHANNELS", channels(self._address.prefix))
        return facts_of(*self._commands.run(("INFO",), subscribed))

    @property
    def answered_at(self) -> float:
        since = self._listener.silent_since
        # A working connection must not hide that the other one is lost.
        return since if self._listener.lost else max(since, self._commands.answered_at)

    def close(self) -> None:
        self._listener.close()
        self._commands.close()
        self._redis.close()


class _Translator:
    """Passes on what a listener receives, with the channels' names outside Redis."""

    def __init__(self, answer: Callable[[Wanted], None], forget: Callable[[], None]) -> None:
        self._answer = answer
        self._forget = forget
        self.names: dict[bytes, str] = {}
        self.receiver: Receiver | None = None
        self._ignored = False

    def subscribed(self, channels: Collection[bytes]) -> None:
        if self.receiver is not None:
            wanted = self.receiver.subscribed(self._known(channels))
            if wanted is not None:
                self._answer(wanted)

    def lost(self, channels: Collection[bytes]) -> None:
        self._forget()
        if self.receiver is not None:
            self.receiver.lost(self._known(channels))

    def message(self, channel: bytes, data: bytes) -> None:
        name, entry = self.names.get(channel), unpack(data)
        if entry is None:
            self._ignore(channel)
        elif name is not None and self.receiver is not None:
            wanted = self.receiver.message(name, entry)
            if wanted is not None:
                self._answer(wanted)

    def _ignore(self, channel: bytes) -> None:
        if self._ignored:
            return
        self._ignored = True
        logger.warning(
            "Ignored a message that another program sent to %s with PUBLISH: it has no id. Use "
            "publish(), or the library's script, as docs/how-to/publish-from-anywhere.md shows. "
            "This is logged once.",
            channel.decode("utf-8", "replace"),
        )

    def give_way(self) -> None:
        if self.receiver is not None:
            self.receiver.give_way()

    def _known(self, channels: Collection[bytes]) -> list[str]:
        return [self.names[name] for name in channels if name in self.names]
