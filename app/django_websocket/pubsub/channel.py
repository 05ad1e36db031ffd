"""Who in this process listens to a channel, and how far it has been delivered."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any, Generic, Protocol, TypeVar

from django_websocket.errors import ChannelError

from .backoff import Backoff
from .message import Message

__all__ = ["Channel", "Group", "Member"]

logger = logging.getLogger("django_websocket")


class Member(Protocol):
    """A subscriber. Members with an equal ``group`` are served together."""

    @property
    def group(self) -> Hashable:
        """Equal for members that are served together."""

    def new_group(self) -> Group[Any]:
        """The first of its kind in a channel makes the group."""


M = TypeVar("M", bound=Member)


class Group(ABC, Generic[M]):
    """Members for whom each message is encoded once."""

    def __init__(self) -> None:
        self.members: dict[M, Any] = {}

    @abstractmethod
    def add(self, member: M) -> None:
        """Add the member to :attr:`members`, with the object that gets its messages."""

    def discard(self, member: M) -> None:
        """Hand nothing more to the member."""
        self.members.pop(member, None)

    @abstractmethod
    def deliver(self, message: Message) -> None:
        """Hand over a message. Must neither wait nor run the user's code."""


#: How many of a channel's last messages stay in memory, and their largest size in bytes. When
#: all clients reconnect at once, the messages that they missed are then encoded once, too.
_RECENT, _RECENT_SIZE = 64, 16_384


class Channel:
    """Changes under the dispatcher's lock only."""

    def __init__(self, name: str) -> None:
        self.name = name
        #: How many members there are, those that are about to join included.
        self.holders = 0
        #: The id of the last message delivered; None until the broker is subscribed to it.
        self.position: str | None = None
        #: Set while the broker is subscribed to the channel and all that was missed has been
        #: delivered, or while the channel cannot be used: ``failure`` is then the reason.
        self.ready = threading.Event()
        self.failure: ChannelError | None = None
        #: How many of its messages fill a page of its history, if known.
        self.page: int | None = None
        #: The pauses after which it is tried again while it cannot be used.
        self.backoff = Backoff()
        self._groups: dict[Hashable, Group[Any]] = {}
        self._recent: dict[str, Message] = {}
        #: Members that have read further in the history than has been delivered here.
        self._ahead: dict[Member, str] = {}

    @property
    def size(self) -> int:
        """How many members get its messages."""
        return len(self._ahead) + sum(len(group.members) for group in self._groups.values())

    def admit(self, member: Member, position: str | None) -> str | None:
        """Give ``member`` the messages after ``position``, by default from now on.

        Returns the position, or None if later messages have been delivered already.
        """
        if position is None or position == self.position:
            self._join(member)
            return self.position
        if self.position is not None and position < self.position:
            return None
        self._ahead[member] = position
        return position

    def dismiss(self, member: Member) -> None:
        """Remove ``member``, and its group if it was the last one."""
        self._ahead.pop(member, None)
        group = self._groups.get(member.group)
        if group is not None:
            group.discard(member)
            if not group.members:
                del self._groups[member.group]

    def recent(self, message: Message) -> Message:
        """The same message, with its cached frames if it was delivered recently."""
        return message if message.notice else self._recent.get(message.id, message)

    def deliver(self, message: Message) -> None:
        """Hand the next message to everyone."""
        self.position = message.id
        if message.changes_history:
            self._recent.clear()  # do not serve a retracted message from here
        if self._ahead:
            self._let_in(message)
        if not message.notice and message.size <= _RECENT_SIZE:
            self._recent[message.id] = message
            if len(self._recent) > _RECENT:
                del self._recent[next(iter(self._recent))]
        for group in self._groups.values():
            try:
                group.deliver(message)
            except Exception:
                logger.exception("%r did not reach some subscribers", message)

    def _let_in(self, message: Message) -> None:
        for member, position in list(self._ahead.items()):
            if message.gap or position < message.id:
                del self._ahead[member]
                self._join(member)

    def _join(self, member: Member) -> None:
        group = self._groups.get(member.group)
        if group is None:
            group = self._groups[member.group] = member.new_group()
        group.add(member)
