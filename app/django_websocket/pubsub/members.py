"""Sockets as members of a channel: those that get the same bytes are served together."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Hashable
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

    __slots__ = ("encode", "group", "start", "websocket")

    def __init__(self, websocket: WebSocket, group: tuple[Any, ...]) -> None:
        self.group: Hashable = group
        self.encode: Encode = group[0]
        self.websocket = websocket
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
            self.websocket.send(content)


#: Frames that wait for the next ones, in bytes at most.
_TOGETHER = 65536


class Sockets(Group[Member]):
    """Sockets for which one frame is right. All belong to the thread that made the group.

    Messages that arrive together leave together: a system call for each would be most of the work.
    """

    def __init__(
        self, encode: Encode, window_bits: int | None, policy: Policy, key: Key | None
    ) -> None:
        super().__init__()
        self._encode = encode
        self._window_bits = window_bits
        self._policy = policy
        self._key = key
        self._events = get_event_loop()
        #: Frames and tags that those who are members now will get.
        self._waiting: deque[tuple[bytes, Hashable]] = deque()
        self._size = 0

    def add(self, member: Member) -> None:
        self._flush()
        self.members[member] = member.websocket

    def deliver(self, message: Message) -> None:
        try:
            frame, tag = self._frame(message), self._tag(message)
        except Exception:
            logger.exception(_FAILED, message)
            return
        counters.delivered += len(self.members)
        self._waiting.append((frame, tag))
        self._size += len(frame)
        if self._size > _TOGETHER or not self._is_at_home():
            self._flush()
        elif len(self._waiting) == 1:
            self._events.loop.run_callback(self._flush)

    def _is_at_home(self) -> bool:
        return bool(_native_thread() == self._events.thread_ident)

    def _flush(self) -> None:
        """Send what waits. In another thread, let the sockets' own do it."""
        frames = []
        while self._waiting:
            frames.append(self._waiting.popleft())
        self._size = 0
        if self._is_at_home():
            self._send(self.members.values(), frames)
        else:
            members = list(self.members.values())
            self._events.loop.run_callback_threadsafe(self._send, members, frames)

    def _send(self, members: Collection[WebSocket], frames: list[tuple[bytes, Hashable]]) -> None:
        policy = self._policy
        if policy == "disconnect":
            together, more = b"".join([frame for frame, _ in frames]), len(frames) - 1
            for websocket in members if frames else ():
                if websocket.deliver(together, policy, None):
                    websocket.messages_sent += more
        else:
            for frame, tag in frames:
                for websocket in members:
                    websocket.deliver(frame, policy, tag)

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
        """What a message has in common with those that it replaces, where only one counts.

        None: it is never dropped, whatever another subscription of the socket would do.
        """
        if self._policy == "disconnect":
            return None
        if message.notice and not message.gap:
            return message.channel, message.id
        if self._key is None or message.gap:
            return message.channel, message.gap
        return message.channel, self._key(message)


def _content(message: Message, own: Encode) -> str | bytes:
    return message.encoded(encode if message.notice else own)


_FAILED = "%r goes to nobody: what encodes it failed"
