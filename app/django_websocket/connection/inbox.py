"""Messages that have arrived and wait until the view takes them."""

from __future__ import annotations

from collections.abc import Callable

from django_websocket.rfc6455.protocol import Data, Protocol

from .readyflag import ReadyFlag

__all__ = ["Inbox"]


class Inbox:
    """A queue of messages, bounded by ``max_messages`` and by ``max_size`` bytes.

    Invariants: ``size`` is 0 exactly when nothing is queued; the descriptor of :meth:`fileno` is
    readable exactly while the inbox is :attr:`ready`; a discarded message is never queued.
    """

    __slots__ = (
        "_discarding",
        "_max_messages",
        "_max_size",
        "_protocol",
        "bytes_received",
        "flag",
        "messages_received",
        "queue",
        "size",
    )

    def __init__(self, protocol: Protocol, max_messages: int, max_size: int) -> None:
        self._protocol = protocol
        self._max_messages = max_messages
        self._max_size = max_size
        self._discarding = False
        #: A list: an empty deque would take eleven times the memory on every idle connection.
        self.queue: list[Data] = []
        #: Bytes that were queued since the queue was last empty.
        self.size = 0
        self.messages_received = 0
        #: Of the messages that :meth:`feed` has read, after decompression.
        self.bytes_received = 0
        self.flag: ReadyFlag | None = None

    @property
    def ready(self) -> bool:
        """Whether there is a message, or no more will arrive."""
        return bool(self.queue) or self._discarding or self._protocol.finished

    @property
    def full(self) -> bool:
        """Whether the limit of messages or of bytes is reached; never while the inbox is empty."""
        return bool(self.queue) and (
            len(self.queue) >= self._max_messages or self.size >= self._max_size
        )

    @property
    def fill(self) -> float:
        """How full it is: 1 when no more is read from the client."""
        return max(len(self.queue) / self._max_messages, self.size / self._max_size)

    def feed(self, data: bytes, overdue: Callable[[], bool]) -> None:
        """Let the protocol read its backlog and ``data``, until the inbox is full or ``overdue()``
        is true."""
        discarding = self._discarding
        queue = [] if discarding else self.queue
        before = len(queue)
        size = self._protocol.feed(data, queue, self._max_size - self.size, overdue)
        self.messages_received += len(queue) - before
        self.bytes_received += size
        if not discarding:
            self.size += size

    def read_whole(self, data: bytes) -> bool:
        """Queue the message, if the inbox is empty and ``data`` is one whole short text frame."""
        if self.queue or self._discarding or self.flag is not None:
            return False
        message = self._protocol.read_whole(data)
        if message is None:
            return False
        self.queue.append(message)
        self.size = len(data)
        self.messages_received += 1
        return True

    def discard(self) -> None:
        """No more messages are wanted."""
        self._discarding = True
        self.queue.clear()
        self.size = 0

    def fileno(self) -> int:
        """A descriptor that is readable exactly while the inbox is ready. Raises ``OSError``."""
        if self.flag is None:
            self.flag = ReadyFlag()
            self.show_ready()
        return self.flag.fileno()

    def show_ready(self) -> None:
        """Bring the descriptor up to date, if there is one."""
        if self.flag is not None:
            self.flag.set(self.ready)

    def close(self) -> None:
        """Close the descriptor."""
        flag, self.flag = self.flag, None
        if flag is not None:
            flag.close()
