"""The process's subscriptions: each message from the broker goes to all subscribers here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

from django_websocket.connection.scheduler import share
from django_websocket.errors import BrokerError, ChannelError
from django_websocket.metrics import counters

from .brokers.base import Broker, Entry, History, Wanted, is_set_while_answered, require_presence
from .channel import Channel, Member
from .chores import Chores
from .history import Pages, messages
from .message import ZERO, Message, make_id, presence_of
from .roster.announcer import Announcer
from .roster.rosters import Rosters

__all__ = ["Census", "Dispatcher"]

logger = logging.getLogger("django_websocket")

#: How many channels are brought up to date at a time, and with how many messages altogether.
_BATCH, _AT_ONCE = 64, 512


class Census(NamedTuple):
    """How much there is of what, at one moment."""

    connected: bool
    channels: int
    members: int
    present: int


class Dispatcher:
    """Keeps all members of a channel at the same position, without gaps or duplicates.

    After an outage, the broker reports the channels as subscribed again. The dispatcher catches up
    from the history before it delivers anything else.
    """

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.chores = Chores()
        self.announcer = Announcer(broker, self.chores)
        self.rosters = Rosters(broker)
        self._pages = Pages(broker, self.chores)
        self._channels: dict[str, Channel] = {}
        #: Whether the broker was lost, and is not back yet.
        self._lost = False
        # Held while the broker is asked to (un)subscribe, so that the order is right.
        self._switch = threading.Lock()
        # Held while a message is delivered, or a channel's members change. Never while waiting, nor
        # while code of the user's runs.
        self._lock = threading.RLock()
        broker.listen(self)

    def say_goodbye(self) -> None:
        """The process ends: everyone who is present in it leaves."""
        self.chores.close()
        self.announcer.close()

    def close(self) -> None:
        """Announce that this process ends, and close the broker."""
        self.say_goodbye()
        self.broker.close()

    def census(self) -> Census:
        """What this process has to do with the broker right now."""
        with self._lock:
            channels = list(self._channels.values())
            members = sum(channel.size for channel in channels)
        return Census(not self._lost, len(channels), members, self.announcer.present)

    # For members

    def follow(
        self, member: Member, name: str, since: str | None, replay: Callable[[Message], None]
    ) -> str:
        """Give ``member`` the messages of a channel; returns the position it starts from.

        Messages published after ``since`` go through ``replay``, which may wait. Raises
        :class:`BrokerError`, and what ``replay`` raises.
        """
        channel = self.hold(name)
        try:
            position, joined = self.advance(channel, member, since, replay)
            while not joined:
                position, joined = self.advance(channel, member, position, replay)
            return position
        except BaseException:
            self._release(channel)
            raise

    def hold(self, name: str) -> Channel:
        """The channel, once the broker is subscribed to it; :meth:`leave` gives it back.

        Raises :class:`BrokerError`, and :class:`~django_websocket.errors.UnsupportedByBroker` for
        a presence channel.
        """
        if presence_of(name):
            require_presence(self.broker)
        channel = self._hold(name)
        try:
            if not is_set_while_answered(channel.ready, self.broker):
                raise BrokerError(f"the broker does not answer, so {name} delivers nothing")
            if channel.failure is not None:
                raise ChannelError(*channel.failure.args)
        except BaseException:
            self._release(channel)
            raise
        return channel

    def advance(
        self,
        channel: Channel,
        member: Member,
        since: str | None,
        replay: Callable[[Message], None],
    ) -> tuple[str, bool]:
        """Replay a page of the messages published after ``since``.

        Returns the position after the page, and whether ``member`` automatically gets the
        messages after it from now on. Raises :class:`BrokerError`, and what ``replay`` raises.
        """
        if not since or since == channel.position:
            joined = self._admit(channel, member, since or None)
            if joined is not None or not since:
                return joined or ZERO, True
        page = self._pages.get(channel, since)
        for message in page.messages:
            replay(message)
        if page.more:
            return page.position, False
        return page.position, self._admit(channel, member, page.position) is not None

    def leave(self, member: Member, name: str) -> None:
        """Undo :meth:`follow`."""
        with self._lock:
            channel = self._channels[name]
            channel.dismiss(member)
        self._release(channel)

    def pause(self, member: Member, channel: Channel) -> None:
        """Deliver nothing to the member for now; :meth:`advance` resumes it."""
        with self._lock:
            channel.dismiss(member)

    def at(self, name: str, position: str, call: Callable[[], object]) -> bool:
        """Call ``call`` between two messages, unless more than ``position`` has been delivered.

        Returns False in that case.
        """
        with self._lock:
            channel = self._channels.get(name)
            if channel is not None and channel.position is not None:
                if channel.position > position:
                    return False
                call()
            return True

    def _hold(self, name: str) -> Channel:
        with self._switch:
            with self._lock:
                channel = self._channels.get(name) or Channel(name)
                channel.holders += 1
                self._channels[name] = channel
            if channel.holders == 1:
                try:
                    self.broker.subscribe(name)
                    if watched := presence_of(name):
                        self.announcer.watch(watched)
                except BaseException:
                    self._forget(channel)
                    raise
        return channel

    def _release(self, channel: Channel) -> None:
        with self._switch:
            if channel.holders > 1:
                channel.holders -= 1
                return
            self._forget(channel)
            self.broker.unsubscribe(channel.name)
            if watched := presence_of(channel.name):
                self.announcer.unwatch(watched)

    def _forget(self, channel: Channel) -> None:
        with self._lock:
            channel.holders = 0
            del self._channels[channel.name]

    def _admit(self, channel: Channel, member: Member, position: str | None) -> str | None:
        with self._lock:
            return channel.admit(member, position)

    # For the broker

    def subscribed(self, channels: Collection[str]) -> Wanted:
        """Catch up on channels to which the broker has subscribed. See :class:`Receiver`."""
        with self._lock:
            known = [self._channels[name] for name in channels if name in self._channels]
        yield from self._catch_up(known)
        if self._lost:
            self._lost = False
            self._pages.doubt(make_id(int(time.time() * 1000), 0))
            self.announcer.repeat()

    def message(self, name: str, entry: Entry) -> Wanted | None:
        """Deliver an entry, after any that were missed before it. Ignore entries that are not newer
        than the channel's position.
        """
        channel = self._channels.get(name)
        if channel is None or channel.position is None:
            return None
        if channel.failure is not None:
            return None  # the history will have it
        if entry.previous > channel.position:
            return self._deliver_after_others(channel, entry)
        if entry.id > channel.position:
            self._deliver(channel, Message(channel.name, entry.id, entry.payload))
        return None

    def _deliver_after_others(self, channel: Channel, entry: Entry) -> Wanted:
        """Deliver the messages that were missed before ``entry``, then ``entry``."""
        yield from self._catch_up([channel])
        if entry.id > (channel.position or ZERO) and channel.failure is None:
            self._deliver(channel, Message(channel.name, entry.id, entry.payload))

    def lost(self, channels: Collection[str]) -> None:
        """Note that the broker has lost its subscriptions: they are pending until it is back."""
        counters.outages += not self._lost
        self._lost = True
        with self._lock:
            for name in channels:
                if name in self._channels:
                    self._channels[name].ready.clear()

    def give_way(self) -> None:
        """Let the views of this process run between two messages of a burst."""
        share()

    # Up to date

    def _catch_up(self, channels: list[Channel]) -> Wanted:
        """Deliver the messages published after the channels' positions, page by page."""
        while channels:
            batch, channels = channels[:_BATCH], channels[_BATCH:]
            positions = [(channel.name, channel.position) for channel in batch]
            histories = yield positions, _AT_ONCE // len(batch)
            for channel, history in zip(batch, histories, strict=True):
                if history.error is not None:
                    self._fail(channel, history.error)
                elif self._take(channel, history):
                    channels.append(channel)

    def _take(self, channel: Channel, history: History) -> bool:
        """Deliver a page of a channel. Returns whether there is more to be read."""
        if channel.position is None:
            channel.position = history.last
        else:
            for message in messages(channel.name, history, channel.position, own=True):
                self._deliver(channel, message)
                share()
            if history.more is not None:
                channel.position = history.more
                return True
        if channel.failure is not None:
            logger.info("The channel %s can be used again", channel.name)
        channel.failure = None
        channel.backoff.reset()
        channel.ready.set()
        return False

    def _fail(self, channel: Channel, error: ChannelError) -> None:
        """The channel cannot be used for now; the others can."""
        if channel.failure is None:
            logger.error("The channel %s cannot be used for now: %s", channel.name, error)
        channel.failure = error
        channel.ready.set()
        task = partial(self._try_again, channel)
        self.chores.call(f"The channel {channel.name}", task, channel.backoff.fail())

    def _try_again(self, channel: Channel) -> None:
        with self._switch:
            if self._channels.get(channel.name) is channel and channel.failure is not None:
                # The broker's own thread delivers everything, in its order.
                self.broker.subscribe(channel.name)

    def _deliver(self, channel: Channel, message: Message) -> None:
        counters.received += 1
        counters.gaps += message.gap
        if message.changes_history:
            self._pages.forget(channel.name)  # do not serve a retracted message from there
        with self._lock:
            channel.deliver(message)
