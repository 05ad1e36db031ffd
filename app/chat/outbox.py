"""The one road to a socket's client.

A socket's view waits for what its client says. Whatever anybody else has for the client goes
through the outbox, so that only one thread ever sends (a greenlet, under a gevent worker), and a
client that reads slowly makes nobody else wait.
"""

import logging
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from django.db import connections

from django_websocket.errors import ConnectionClosed

logger = logging.getLogger(__name__)

#: How many messages wait for a slow client before it is disconnected.
SIZE = 100

#: A message, or what makes it when its turn comes.
Message = str | Callable[[], str]


class Outbox:
    """A context manager: messages leave while it is entered."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._queue: queue.Queue[Message | None] = queue.Queue(SIZE)
        self._full = False

    def put(self, message: Message) -> None:
        """Queue a message, at once. A client that has not read the last hundred is closed."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._disconnect()

    def reply(self, message: Message) -> None:
        """Queue a message, and wait for room, which slows down a client that asks too fast."""
        self._queue.put(message)

    def __enter__(self) -> Self:
        threading.Thread(target=self._send, name="chat-outbox", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self._websocket.close()  # which ends the thread's send()

    def _send(self) -> None:
        try:
            while (message := self._queue.get()) is not None:
                self._websocket.send(message if isinstance(message, str) else message())
        except ConnectionClosed:
            pass
        finally:
            connections.close_all()

    def _disconnect(self) -> None:
        if self._full:
            return
        self._full = True
        logger.warning("Closing %s: its client reads too slowly", self._websocket.path)
        # On a stock worker this waits as long as the client does.
        threading.Thread(target=self._websocket.close, args=(1013, "too slow"), daemon=True).start()
