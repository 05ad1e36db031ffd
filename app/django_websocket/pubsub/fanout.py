"""Sockets as members of a channel: those that get the same bytes are served together."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Hashable
from typing import TYPE_CHECKING, Any

from gevent import GreenletExit, monkey
from gevent import get_hub as get_event_loop

from django_websocket.connection.sendbuffer import Policy
from django_websocket.metrics import counters

from .channel import Group
from .encodingqueue import EncodingQueue
from .frames import frame_of
from .history import count_replayed
from .message import Encode, Message, encode, encode_presence

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket

__all__ = ["Key", "Sockets", "Subscription"]

logger = logging.getLogger("django_websocket")

#: Which messages replace each other if only the latest counts.
Key = Callable[[Message], Hashable]

#: Encode functions that never wait.
_OURS: tuple[Encode, ...] = (encode, encode_presence)

_native_thread: Callable[[], int] = monkey.get_original("_thread", "get_ident")


class Subscription:
    """One socket in one channel."""

    __slots__ = ("encode", "group", "joined", "start", "websocket")

    def __init__(self, websocket: WebSocket, group: tuple[Any, ...]) -> None:
        self.group: Hashable = group
        self.encode: Encode = group[0]
        self.websocket = websocket
        self.start = ""
        #: Its number among its group's members, in the order of joining.
        self.joined = 0

    def new_group(self) -> Sockets:
        """The sockets that get the same frames."""
        return Sockets(*self.group)  # type: ignore[misc]

    def replay(self, message: Message) -> None:
        """Send a message from the history. Waits while the client does not read."""
        self.send(message)
        count_replayed(message)

    def send(self, message: Message) -> None:
        """Send a message to this socket alone. Waits while the client does not read."""
        try:
            frame = frame_of(message, self.encode, self.websocket._window_bits)
        except Exception:
            logger.exception(_FAILED, message)
        else:
            self.websocket._send_frame(frame)


#: Bytes of frames that wait for further ones: for one socket, and for all sockets together. The
#: worker sends the latter in one go.
_TOGETHER, _AT_ONCE = 64 * 1024, 16 * 1024 * 1024


class Sockets(Group[Subscription]):
    """Sockets that share their frames. All belong to the thread that made the group.

    Messages that arrive together leave together: a system call for each would be most of the work.
    A user's encode function runs in a greenlet of the group's own, so if it waits, no other group
    waits.
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
        #: Frames and tags for the first ``_waiting_for`` members, which had joined by then.
        self._waiting: deque[tuple[bytes, Hashable]] = deque()
        self._waiting_for = 0
        self._size = 0
        self._joined = 0
        self._queue: EncodingQueue | None = None
        if key is not None or encode not in _OURS:
            late = self._give_up if policy == "disconnect" else None
            self._queue = EncodingQueue(self._work, self._call_at_home, late)

    def add(self, member: Subscription) -> None:
        """Add a socket, which gets only messages delivered from now on."""
        self._flush()
        self._joined += 1
        member.joined = self._joined
        self.members[member] = member.websocket

    def discard(self, member: Subscription) -> None:
        """Remove a socket; with the last one, also the messages that wait to be encoded."""
        super().discard(member)
        if not self.members and self._queue is not None:
            self._queue.clear()

    def deliver(self, message: Message) -> None:
        """Send a message to all sockets, or let the queue encode it first."""
        if self._queue is None:
            self._work(message, self._joined)
        else:
            self._queue.put(message, self._joined)

    def _work(self, message: Message, joined: int) -> None:
        """Encode a message for the members that had joined by then."""
        try:
            frame = frame_of(message, self._encode, self._window_bits)
            tag = self._tag(message)
        except (GreenletExit, KeyboardInterrupt):
            raise
        except BaseException:
            logger.exception(_FAILED, message)
            return
        counters.delivered += len(self.members)
        if joined != self._waiting_for:
            self._flush()
            self._waiting_for = joined
        self._waiting.append((frame, tag))
        self._size += len(frame)
        enough = min(_TOGETHER, _AT_ONCE // (len(self.members) or 1))
        if self._size > enough or not self._is_at_home():
            self._flush()
        elif len(self._waiting) == 1:
            self._events.loop.run_callback(self._flush)

    def _give_up(self) -> None:
        """The user's function is too slow. Clients that reconnect catch up from the history."""
        for websocket in list(self.members.values()):
            counters.slow_clients_closed += 1
            websocket.close(1013, "too slow to keep up")

    def _is_at_home(self) -> bool:
        return bool(_native_thread() == self._events.thread_ident)

    def _call_at_home(self, function: Callable[[], object]) -> None:
        if self._is_at_home():
            function()
        else:
            self._events.loop.run_callback_threadsafe(function)

    def _members_of(self, joined: int) -> Collection[WebSocket]:
        if joined == self._joined:
            return self.members.values()
        return [socket for member, socket in self.members.items() if member.joined <= joined]

    def _flush(self) -> None:
        """Send the waiting frames, in the thread of the sockets."""
        frames = []
        while self._waiting:
            frames.append(self._waiting.popleft())
        self._size = 0
        if not frames:
            return
        members = self._members_of(self._waiting_for)
        if self._is_at_home():
            self._send(members, frames)
        else:
            self._events.loop.run_callback_threadsafe(self._send, list(members), frames)

    def _send(self, members: Collection[WebSocket], frames: list[tuple[bytes, Hashable]]) -> None:
        policy, together = self._policy, b"".join([frame for frame, _ in frames])
        if policy == "disconnect":
            for websocket in members:
                websocket._deliver(together, policy, None, len(frames))
        else:
            for websocket in members:
                websocket._deliver_all(frames, together, policy)

    def _tag(self, message: Message) -> Hashable:
        """What a message has in common with those that it replaces, if only the latest counts.

        None: it is never dropped, whatever another subscription of the socket would do.
        """
        if self._policy == "disconnect":
            return None
        if message.changes_history and not message.gap:
            return message.channel, message.id
        if self._key is None or message.gap:
            return message.channel, message.gap
        tag = message.channel, self._key(message)
        hash(tag)
        return tag


_FAILED = "%r was not sent: its encode function failed"
