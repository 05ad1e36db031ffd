"""Messages for a view, a command or a test that reads them itself."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Any

from django_websocket.connection.readyflag import ReadyFlag
from django_websocket.connection.timeouts import check_timeout
from django_websocket.errors import ConnectionClosed
from django_websocket.metrics import counters

from .arguments import check_since
from .channel import Channel, Group
from .dispatcher import Dispatcher
from .history import count_replayed
from .message import Message, check_subscription

__all__ = ["Reader"]


class Reader:
    """Reads channels, one message after the other, until it is closed.

    ``limit``
        How many bytes of messages may wait here. A slower reader goes back to the history, and
        gets a gap message if that does not go back far enough.
    ``socket``
        The socket whose view reads. The reader ends with it.
    """

    group: Hashable = "readers"

    def __init__(
        self, dispatcher: Dispatcher, limit: int, timeout: float | None = None, socket: Any = None
    ) -> None:
        self._dispatcher = dispatcher
        self._limit = limit
        self._timeout = timeout
        self._socket = socket
        #: By channel, the id of the last message taken.
        self._positions: dict[str, str] = {}
        #: Channels whose history is not read to its end, and the position reached.
        self._behind: dict[Channel, str] = {}
        self._channels: dict[str, Channel] = {}
        self._queue: deque[Message] = deque()
        self._size = 0
        self._lagging = self._closed = False
        # Held while channels are added or dropped, also while that waits for the broker.
        self._switch = threading.Lock()
        self._changed = threading.Condition()
        #: What :meth:`fileno` is about, once that has been asked for.
        self._flag: ReadyFlag | None = None
        self._require_socket()
        self._subscriptions = getattr(socket, "_subscriptions", None)
        if self._subscriptions is not None:
            self._subscriptions.call_at_end(self._look)

    def close(self) -> None:
        """Stop reading all channels."""
        if self._subscriptions is not None:
            self._subscriptions.call_no_more(self._look)
        with self._switch:
            self._closed = True
            for channel in list(self._channels):
                self._drop(channel)
        with self._changed:
            if self._flag is not None:
                self._flag.close()
                self._flag = None

    def subscribe(self, channel: str, since: str | None = None) -> str:
        """Read this channel too. Returns the id to resume from. Does nothing if it is read already.

        Raises :class:`~django_websocket.errors.BrokerError`, ``TypeError`` and ``ValueError`` for
        a wrong argument, ``RuntimeError`` once the reader is closed.
        """
        check_subscription(channel)
        check_since(since)
        self._require_socket()
        with self._switch:
            if self._closed:
                raise RuntimeError(f"the reader is closed, so it cannot subscribe to {channel}")
            if channel not in self._positions:
                held = self._channels[channel] = self._dispatcher.hold(channel)
                try:
                    self._positions[channel] = self._advance(held, since)
                except BaseException:
                    self._drop(channel)
                    raise
            return self._positions[channel]

    def unsubscribe(self, channel: str) -> None:
        """Stop reading this channel. Its messages that wait here are still read.

        Raises ``TypeError`` and ``ValueError`` for a wrong name.
        """
        check_subscription(channel)
        with self._switch:
            self._drop(channel)

    def _drop(self, channel: str) -> None:
        self._positions.pop(channel, None)
        held = self._channels.pop(channel, None)
        if held is not None:
            self._behind.pop(held, None)
            self._dispatcher.leave(self, channel)

    def receive(self, timeout: float | None = None) -> Message:
        """The next message, or a gap message (``message.gap``).

        Raises ``TimeoutError`` after ``timeout`` seconds without one, ``TypeError`` and
        ``ValueError`` for a wrong timeout, and :class:`~django_websocket.errors.BrokerError` if
        the history is needed and unreachable.
        """
        check_timeout(timeout, may_be_over=True)
        while True:
            self._require_socket()
            if self._lagging and not self._queue:
                self._fall_behind()
            if self._behind and self._size <= self._limit // 2:
                channel = next(iter(self._behind))
                self._advance(channel, self._behind.pop(channel))
            with self._changed:
                if self._queue:
                    return self._take()
                self._show_ready()
            if not self._behind:
                self._wait(timeout)

    def fileno(self) -> int:
        """A descriptor that is readable when there is something to :meth:`receive`; -1 once closed.

        So ``select([websocket, messages], [], [])`` waits for both. As with other descriptors, the
        call may still have to wait: give it a timeout of 0, or loop over ``subscribe(timeout=0)``.
        """
        with self._changed:
            if self._closed:
                return -1
            if self._flag is None:
                self._flag = ReadyFlag()
                self._show_ready()
            return self._flag.fileno()

    def __iter__(self) -> Iterator[Message]:
        """Messages, until none has arrived for the ``timeout`` of ``subscribe()``."""
        while True:
            try:
                message = self.receive(self._timeout)
            except TimeoutError:
                return
            yield message

    # For the dispatcher

    def new_group(self) -> Group[Any]:
        """The readers of a channel."""
        return _Readers()

    def put(self, message: Message) -> None:
        """Queue a message. Over the limit, read the history until the reader has caught up."""
        with self._changed:
            if self._lagging:
                return
            if self._size + message.size > self._limit and self._queue:
                counters.readers_lagging += 1
                self._lagging = True
            else:
                self._queue.append(message)
                self._size += message.size
            self._show_ready()
            self._changed.notify_all()

    # The history

    def _advance(self, channel: Channel, since: str | None) -> str:
        """Read a page of a channel's history, and after the last page new messages."""
        joined = False
        position = since or ""
        try:
            position, joined = self._dispatcher.advance(channel, self, since, self._append)
        finally:
            if self._channels.get(channel.name) is not channel:  # dropped meanwhile
                self._dispatcher.pause(self, channel)
            elif not joined:
                self._behind[channel] = position
            with self._changed:
                self._show_ready()
        return position

    def _append(self, message: Message) -> None:
        """Like :meth:`put`, for messages from the history, which is bounded itself."""
        count_replayed(message)
        with self._changed:
            self._queue.append(message)
            self._size += message.size

    def _fall_behind(self) -> None:
        """Go back to the history, and continue from there."""
        for name, channel in self._channels.items():
            if channel not in self._behind:
                self._dispatcher.pause(self, channel)
                self._behind[channel] = self._positions[name]
        self._lagging = False

    def _take(self) -> Message:
        message = self._queue.popleft()
        self._size -= message.size
        if message.channel in self._positions:
            self._positions[message.channel] = message.id
        self._show_ready()
        return message

    # Waiting

    def _wait(self, timeout: float | None) -> None:
        """Raises ``TimeoutError``."""
        if self._socket is not None and self._socket._before_wait is not None:
            self._socket._before_wait()
        with self._changed:
            if not self._changed.wait_for(self._has_news, timeout):
                raise TimeoutError(f"no message for {timeout:g} s")

    def _show_ready(self) -> None:
        if self._flag is not None:
            self._flag.set(self._has_news() or bool(self._behind))

    def _has_news(self) -> bool:
        return bool(self._queue) or self._lagging or self._has_ended()

    def _has_ended(self) -> bool:
        return self._socket is not None and self._socket.closed

    def _look(self) -> None:
        """The socket has ended."""
        with self._changed:
            self._show_ready()
            self._changed.notify_all()

    def _require_socket(self) -> None:
        if self._has_ended():
            raise ConnectionClosed.of(self._socket)


class _Readers(Group[Reader]):
    def add(self, member: Reader) -> None:
        self.members[member] = member.put

    def deliver(self, message: Message) -> None:
        for put in self.members.values():
            put(message)
