"""Messages on their way in: the watcher queues them, the view's greenlet takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from gevent import Timeout

from django_websocket.rfc6455.protocol import Message

from .keepalive import (
    WAITING,
    Lifecycle,
)
from .readyflag import ReadyFlag
from .stream import (
    BUSY,
    LAGGING,
)
from .timeouts import check_timeout

if TYPE_CHECKING:
    from django_websocket.options import Options

__all__ = ["Inbox"]


class Inbox(Lifecycle):
    """The part of the WebSocket that receives."""

    __slots__ = ("_flag", "_queue", "_queued", "before_wait", "messages_received")

    def __init__(self, sock: Any, options: Options) -> None:
        super().__init__(sock, options)
        #: Called in the view's greenlet just before it really waits.
        self.before_wait: Callable[[], None] | None = None
        self.messages_received = 0
        #: A list, as an empty deque takes eleven times the memory on every idle connection.
        self._queue: list[Message] = []
        #: Bytes that were queued since the queue was last empty.
        self._queued = 0
        self._flag: ReadyFlag | None = None

    def accept(self) -> None:
        raise NotImplementedError

    def receive(self, timeout: float | None = None) -> Message | None:
        """The next message; None once the connection is closed. Waits ``timeout`` seconds.

        Raises ``TimeoutError``; nothing is lost by it. Raises ``TypeError`` and ``ValueError`` for
        what is no time to wait.
        """
        queue = self._queue
        if queue:
            self._be_fair()
        if not queue:
            if timeout is not None or self._state == WAITING or self.before_wait is not None:
                self._prepare_to_wait(timeout)
            while not queue:
                if self._deaf or self._protocol.finished:
                    return None
                self._wait()
        message = queue.pop(0)
        if not queue:
            self._queued = 0
            if self._paused & LAGGING:
                self._catch_up()
            if self._flag is not None:
                self._show_ready()
        return message

    def _be_fair(self) -> None:
        """Give way to others, if this greenlet has had its time. What is here stays here."""
        if monotonic() > self._scheduler.deadline and self._scheduler.overdue():
            if self.before_wait is not None:
                self.before_wait()
            self._scheduler.give_way(self._hub)

    def _prepare_to_wait(self, timeout: float | None) -> None:
        """What only some waits need; one with a ``timeout`` has been waited when it returns."""
        check_timeout(timeout, may_be_over=True)
        if self._state == WAITING:
            self.accept()
        queue, protocol = self._queue, self._protocol
        if self.before_wait is not None and not (queue or self._deaf or protocol.finished):
            self.before_wait()
        if timeout is not None:
            with Timeout(timeout, TimeoutError(f"no message within {timeout} seconds")):
                while not (queue or self._deaf or protocol.finished):
                    self._wait()

    def receive_json(self, timeout: float | None = None) -> Any:
        """The next message, decoded; None once closed. Raises ``json.JSONDecodeError``."""
        message = self.receive(timeout)
        return None if message is None else json.loads(message)

    def __iter__(self) -> Iterator[Message]:
        while (message := self.receive()) is not None:
            yield message

    def fileno(self) -> int:
        """A descriptor that is readable exactly when :meth:`receive` would not wait.

        -1 once the view has ended.
        """
        if self._flag is None:
            if self._sock is None:
                return -1
            if self._state == WAITING:
                self.accept()
            self._flag = ReadyFlag()
            self._show_ready()
        return self._flag.fileno()

    def _show_ready(self) -> None:
        if self._flag is not None:
            self._flag.set(bool(self._queue) or self._deaf or self._protocol.finished)

    def _received(self, data: bytes) -> None:
        self._take(data)
        if self._protocol.backlog:
            self._take_backlog(0)
        if self._queue or self._protocol.finished:
            self._wake()

    def _take(self, data: bytes) -> None:
        """Hand bytes to the protocol, and do what follows from them."""
        protocol, options = self._protocol, self._options
        queue = [] if self._deaf else self._queue
        before = len(queue)
        room = options.receive_buffer_size - self._queued
        self._queued += protocol.feed(data, queue, room, self._scheduler.overdue)
        self.messages_received += len(queue) - before
        if protocol.replies or protocol.closing:
            self._follow()
        if self._deaf:
            self._queued = 0
        elif queue and not protocol.finished:
            full = len(queue) >= options.receive_queue_size
            if full or self._queued >= options.receive_buffer_size:
                self._pause(LAGGING)
        if protocol.backlog and not self._paused & LAGGING and self._scheduler.overdue():
            self._pause(BUSY)
            self._scheduler.defer(self._go_on, self._hub)
        if self._flag is not None:
            self._show_ready()

    def _go_on(self) -> None:
        """Runs in the hub, in a later turn: take more of what this connection has sent."""
        try:
            if self._paused & BUSY:
                self._take_backlog(BUSY)
                if self._queue or self._protocol.finished:
                    self._wake()
        except Exception:  # noqa: BLE001 - it costs this connection, never the worker
            self._failed()

    def _stop_receiving(self) -> None:
        self._queue.clear()

    def _catch_up(self) -> None:
        """Read again, what has been left in the buffer first."""
        if not self._paused & BUSY:
            self._take_backlog(LAGGING)

    def _take_backlog(self, reason: int) -> None:
        """Take what there is room and time for, where ``reason`` was all that kept us from it."""
        paused, self._paused = self._paused, self._paused & ~reason
        while self._protocol.backlog and not self._paused & (LAGGING | BUSY):
            self._take(b"")
        if paused and not self._paused and self._reader is not None:
            self._reader.start(self._on_readable)
