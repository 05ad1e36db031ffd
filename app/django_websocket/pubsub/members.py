"""Sockets as members of a channel: those that get the same bytes are served together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from gevent import get_hub as get_event_loop
from gevent import monkey

from ..compression import compressed_frame
from ..conf import get_options
from ..frames import BINARY, TEXT, encode_frame
from .channel import Group
from .counters import counters
from .message import Encode, Message, encode

if TYPE_CHECKING:
    from ..connection import WebSocket

__all__ = ["Key", "Member", "Policy", "Sockets"]

logger = logging.getLogger("django_websocket")

Policy = Literal["disconnect", "drop_oldest", "latest"]

#: Which messages replace each other where only the latest counts.
Key = Callable[[Message], Hashable]

_native_thread: Callable[[], int] = monkey.get_original("_thread", "get_ident")


class Member:
    """One socket in one channel."""

    __slots__ = ("deliver", "encode", "group", "send", "start")

    def __init__(self, websocket: WebSocket, group: tuple[Any, ...]) -> None:
        self.group: Hashable = group
        self.encode: Encode = group[0]
        self.deliver = websocket.deliver
        self.send = websocket.send
        self.start = ""

    def new_group(self) -> Sockets:
        return Sockets(*self.group)  # type: ignore[misc]

    def replay(self, message: Message) -> None:
        """Send a message from the history; waits while the client does not read."""
        try:
            content = _content(message, self.encode)
        except Exception:
            logger.exception(_FAILED, message)
        else:
            self.send(content)


class Sockets(Group[Member]):
    """Sockets for which one frame is right. All belong to the thread that made the group."""

    def __init__(
        self, encode: Encode, window_bits: int | None, policy: Policy, key: Key | None
    ) -> None:
        super().__init__()
        self._encode = encode
        self._window_bits = window_bits
        self._policy = policy
        self._key = key
        self._events = get_event_loop()

    def add(self, member: Member) -> None:
        self.members[member] = member.deliver

    def deliver(self, message: Message) -> None:
        try:
            frame, tag = self._frame(message), self._tag(message)
        except Exception:
            logger.exception(_FAILED, message)
            return
        counters.delivered += len(self.members)
        if _native_thread() == self._events.thread_ident:
            self._send(self.members.values(), frame, tag)
        else:
            members = list(self.members.values())
            self._events.loop.run_callback_threadsafe(self._send, members, frame, tag)

    def _send(self, members: Iterable[Callable[..., object]], frame: bytes, tag: Hashable) -> None:
        policy = self._policy
        for deliver in members:
            deliver(frame, policy, tag)

    def _frame(self, message: Message) -> bytes:
        content = _content(message, self._encode)
        if isinstance(content, str):
            opcode, payload = TEXT, content.encode()
        else:
            opcode, payload = BINARY, content
        bits = self._window_bits
        if bits is not None and len(payload) >= (get_options().compression_threshold or 0):
            return compressed_frame(opcode, payload, bits)
        return encode_frame(opcode, payload)

    def _tag(self, message: Message) -> Hashable:
        """What a message has in common with those that it replaces, where only one counts."""
        if self._key is None or message.gap:
            return message.channel, message.gap
        return message.channel, self._key(message)


def _content(message: Message, own: Encode) -> str | bytes:
    return message.encoded(encode if message.gap else own)


_FAILED = "%r goes to nobody: what encodes it failed"
