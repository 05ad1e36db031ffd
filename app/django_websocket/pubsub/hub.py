"""The process's subscriptions: what a broker hears once goes to everyone here who listens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator

from ..errors import BrokerError
from .attendance import Attendance
from .broker import Broker, Entry, History
from .channel import Channel, Member
from .counters import counters
from .lists import Lists
from .message import BEGINNING, ZERO, Message, is_id, presence_of

__all__ = ["PATIENCE", "Hub"]

logger = logging.getLogger("django_websocket")

#: Seconds that a subscription waits for a broker that does not answer.
PATIENCE = 2.0


class Hub:
    """Keeps every member of a channel at the same position in it, without gap or double.

    A broker that was away reports the channels as subscribed anew; they are brought up to date
    from its history before anything else is delivered.
    """

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.attendance = Attendance(broker)
        self.lists = Lists(broker)
        self._channels: dict[str, Channel] = {}
        #: Whether the broker was away, and has not come back.
        self._lost = False
        # Held while the broker is told what to hear, so that it is told in the right order.
        self._switch = threading.Lock()
        # Held while a message is delivered, or a channel's members change. Never while waiting.
        self._lock = threading.RLock()
        broker.listen(self)

    def close(self) -> None:
        self.attendance.close()
        self.broker.close()

    # For members

    def follow(
        self, member: Member, name: str, since: str | None, replay: Callable[[Message], None]
    ) -> str:
        """Let ``member`` have the messages of a channel; returns the position it starts from.

        What was published after ``since`` goes through ``replay``, which may wait. Raises
        :class:`BrokerError`, and what ``replay`` raises.
        """
        channel = self._hold(name)
        try:
            if not channel.ready.wait(PATIENCE):
                raise BrokerError(f"the broker does not answer, so nothing comes from {name}")
            if not since:
                return self._admit(channel, member, None) or ZERO
            position = self._replay(channel, since, replay)
            while self._admit(channel, member, position) is None:
                position = self._replay(channel, position, replay)
            return position
        except BaseException:
            self._release(channel)
            raise

    def leave(self, member: Member, name: str) -> None:
        """Undo :meth:`follow`."""
        with self._lock:
            channel = self._channels[name]
            channel.dismiss(member)
        self._release(channel)

    def _hold(self, name: str) -> Channel:
        with self._switch:
            with self._lock:
                channel = self._channels.get(name) or Channel(name)
                channel.holders += 1
                self._channels[name] = channel
            if channel.holders == 1:
                self.broker.subscribe(name)
                if watched := presence_of(name):
                    self.attendance.watch(watched)
        return channel

    def _release(self, channel: Channel) -> None:
        with self._switch:
            with self._lock:
                channel.holders -= 1
                unused = not channel.holders
                if unused:
                    del self._channels[channel.name]
            if unused:
                self.broker.unsubscribe(channel.name)
                if watched := presence_of(channel.name):
                    self.attendance.unwatch(watched)

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

    def _admit(self, channel: Channel, member: Member, position: str | None) -> str | None:
        with self._lock:
            return channel.admit(member, position)

    def _replay(self, channel: Channel, since: str, replay: Callable[[Message], None]) -> str:
        """Replay what the broker keeps after ``since``; returns the position this leads to."""
        delivered = channel.position or ZERO
        [history] = self.broker.read([(channel.name, since if is_id(since) else ZERO)])
        for message in _messages(channel.name, history, _start(history, since)):
            with self._lock:
                recent = channel.recent(message)
            replay(recent)
        # A broker that has lost its data is behind what has been delivered here.
        return max(history.last, delivered)

    # For the broker

    def subscribed(self, channels: Collection[str]) -> None:
        with self._lock:
            known = [self._channels[name] for name in channels if name in self._channels]
        histories = self.broker.read([(channel.name, channel.position) for channel in known])
        for channel, history in zip(known, histories, strict=True):
            if channel.position is None:
                channel.position = history.last
            else:
                for message in _messages(channel.name, history, channel.position):
                    self._deliver(channel, message)
                    time.sleep(0)  # other threads have their turn
            channel.ready.set()
        if self._lost:
            self._lost = False
            self.attendance.repeat()

    def message(self, name: str, entry: Entry) -> None:
        channel = self._channels.get(name)
        if channel is None or channel.position is None:
            return
        if entry.previous > channel.position:
            self.subscribed([name])  # something has been missed
        if entry.id > channel.position:
            self._deliver(channel, Message(name, entry.id, entry.payload))

    def lost(self, channels: Collection[str]) -> None:
        counters.outages += not self._lost
        self._lost = True
        with self._lock:
            for name in channels:
                if name in self._channels:
                    self._channels[name].ready.clear()

    def _deliver(self, channel: Channel, message: Message) -> None:
        counters.received += 1
        counters.gaps += message.gap
        with self._lock:
            channel.deliver(channel.recent(message))


def _messages(channel: str, history: History, position: str) -> Iterator[Message]:
    for item in history.since(position):
        if isinstance(item, str):
            yield Message(channel, item, None)
        else:
            yield Message(channel, item.id, item.payload)


def _start(history: History, since: str) -> str:
    """The position that a client means."""
    if is_id(since):
        return since
    if since == BEGINNING:
        return history.entries[0].previous if history.entries else history.last
    return ""  # nobody has ever had this id, so all that is kept comes after a gap
