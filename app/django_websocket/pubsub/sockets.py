"""The channels that a socket's client gets without its view being woken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from gevent import get_hub as get_event_loop
from gevent import monkey

from ..compression import compressed_frame
from ..conf import get_options
from ..frames import BINARY, TEXT, encode_frame
from .channel import Group
from .counters import counters
from .current import get_hub
from .message import Encode, Message, check_channel, encode

if TYPE_CHECKING:
    from ..connection import WebSocket

__all__ = ["Policy", "Subscriptions"]

logger = logging.getLogger("django_websocket")

Policy = Literal["disconnect", "drop_oldest", "latest"]

#: Which messages replace each other where only the latest counts.
Key = Callable[[Message], Hashable]

_native_thread: Callable[[], int] = monkey.get_original("_thread", "get_ident")


class Subscriptions:
    """Those of one socket: ``websocket.subscribe()`` and ``unsubscribe()``."""

    __slots__ = ("_members", "_websocket")

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._members: dict[str, _Member] = {}

    def subscribe(
        self,
        channel: str,
        since: str | None = None,
        *,
        encode: Encode = encode,
        policy: Policy | None = None,
        key: Key | None = None,
    ) -> str:
        """Send this client what is published to the channel.

        ``since``
            The id of the last message that the client has, as it says: what came after it is sent
            first. ``"0"``: all that is kept. Where some is no longer kept, a gap message tells.
        ``encode``
            Makes of a :class:`Message` what the client gets, ``str`` as text, ``bytes`` as binary.
            It is called once for each message, for all sockets with the same function; a gap is
            always told as the default does it.
        ``policy``
            What happens when the client does not read and its send buffer is full:
            ``"disconnect"`` closes with 1013, so that it comes back and catches up;
            ``"drop_oldest"`` drops waiting messages; with ``"latest"`` a message also replaces the
            waiting one of the channel that has the same ``key(message)``; without ``key``, each
            one. Default: ``WEBSOCKET_SEND_BUFFER_POLICY``.

        Returns the id to go on from, should no message come. Does nothing when the channel is
        subscribed already. Raises ``ValueError`` for a wrong name or policy,
        :class:`~django_websocket.errors.BrokerError` when the broker does not answer, and
        :class:`~django_websocket.errors.ConnectionClosed`.
        """
        check_channel(channel)
        if channel not in self._members:
            self._websocket.accept()
            group = (encode, self._websocket.window_bits, *_checked(policy, key))
            member = _Member(self._websocket, group)
            member.start = get_hub().follow(member, channel, since, member.replay)
            self._members[channel] = member
        return self._members[channel].start

    def unsubscribe(self, channel: str) -> None:
        """Send nothing more from the channel."""
        member = self._members.pop(channel, None)
        if member is not None:
            get_hub().leave(member, channel)

    def close(self) -> None:
        """The socket has ended."""
        for channel in list(self._members):
            self.unsubscribe(channel)


def _checked(policy: Policy | None, key: Key | None) -> tuple[str, Key | None]:
    policy = policy or cast(Policy, get_options().send_buffer_policy)
    if policy not in get_args(Policy):
        raise ValueError(f'expected "disconnect", "drop_oldest" or "latest", found {policy!r}')
    if key is not None and policy != "latest":
        raise ValueError(f'a key goes with the policy "latest", found {policy!r}')
    return policy, key


class _Member:
    """One socket in one channel."""

    __slots__ = ("deliver", "encode", "group", "send", "start")

    def __init__(self, websocket: WebSocket, group: tuple[Any, ...]) -> None:
        self.group: Hashable = group
        self.encode: Encode = group[0]
        self.deliver = websocket.deliver
        self.send = websocket.send
        self.start = ""

    def new_group(self) -> _Sockets:
        return _Sockets(*self.group)  # type: ignore[misc]

    def replay(self, message: Message) -> None:
        """Send a message from the history; waits while the client does not read."""
        try:
            content = _content(message, self.encode)
        except Exception:
            logger.exception(_FAILED, message)
        else:
            self.send(content)


class _Sockets(Group[_Member]):
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

    def add(self, member: _Member) -> None:
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
