"""One connection that listens to channels, in a thread of its own.

Under a gevent worker, which has patched threads, the thread is a greenlet. Nobody else touches the
connection: what others want of it they leave in a queue, and wake it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from redis.connection import AbstractConnection
from redis.exceptions import RedisError

from ...errors import BrokerError
from .wakeup import Wakeup

__all__ = ["Link", "Listener"]

logger = logging.getLogger("django_websocket")

#: Seconds of silence after which Redis is asked for a sign of life, and how long it has for it.
#: A connection can be dead without either side knowing.
QUIET, DEADLINE = 2.0, 3.0

#: Seconds of the longest first pause before a lost Redis is tried again, and of the longest ever.
#: The pauses are random, so that the processes of a site do not come back all at once.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0

#: Messages taken in a row before other threads have their turn.
_TURN = 64

#: Channels in one command.
_BATCH = 500


class Listener(Protocol):
    """Who is told, in the link's thread, what it hears. Names are as Redis has them."""

    def subscribed(self, channels: Collection[bytes]) -> None: ...

    def message(self, channel: bytes, data: bytes) -> None: ...

    def lost(self, channels: Collection[bytes]) -> None: ...


class Link:
    """Listens from the first :meth:`subscribe` until :meth:`close`.

    ``connect`` opens a connection, and closes it at the end. ``sharded``: the channels are those
    of a cluster's shard.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], AbstractContextManager[AbstractConnection]],
        listener: Listener,
        *,
        sharded: bool = False,
    ) -> None:
        self._name = name
        self._connect = connect
        self._listener = listener
        self._prefix = "S" if sharded else ""
        self._wanted: set[bytes] = set()
        self._orders: deque[tuple[str, bytes]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wakeup = Wakeup()
        self._closed = False
        #: When Redis was last heard, and asked for a sign of life; in time.monotonic().
        self._heard = self._asked = 0.0
        self._failures = 0
        self._lost_at: float | None = None

    def check(self) -> None:
        """Raises :class:`~django_websocket.errors.BrokerError` while nothing is heard."""
        if self._lost_at is not None:
            raise BrokerError(f"{self._name} has been lost")

    def subscribe(self, channel: bytes) -> None:
        with self._lock:
            self._wanted.add(channel)
            self._order("SUBSCRIBE", channel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def unsubscribe(self, channel: bytes) -> None:
        with self._lock:
            self._wanted.discard(channel)
            self._order("UNSUBSCRIBE", channel)

    def close(self) -> None:
        """End the thread, and wait for its end."""
        self._closed = True
        self._wakeup.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._wakeup.close()

    def _order(self, command: str, channel: bytes) -> None:
        self._orders.append((command, channel))
        self._wakeup.wake()

    # In the thread

    def _run(self) -> None:
        while not self._closed:
            try:
                with self._connect() as connection:
                    self._listen(connection)
            except (RedisError, BrokerError, OSError) as error:
                self._fail(error)
            except Exception as error:
                logger.exception("Listening to %s failed", self._name)
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._lost_at is None:
            logger.warning("Lost %s, trying again until it is back: %s", self._name, error)
            self._lost_at = time.monotonic()
        self._failures += 1
        with self._lock:
            wanted = list(self._wanted)
        self._listener.lost(wanted)
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        deadline = time.monotonic() + random.uniform(0, longest)  # noqa: S311
        while not self._closed and (left := deadline - time.monotonic()) > 0:
            self._wakeup.wait(left)

    def _recovered(self) -> None:
        if self._lost_at is not None:
            logger.info("Back at %s after %.1f s", self._name, time.monotonic() - self._lost_at)
        self._lost_at, self._failures = None, 0

    def _listen(self, connection: AbstractConnection) -> None:
        """Raises what ends the connection."""
        with self._lock:
            self._orders.clear()
            wanted = list(self._wanted)
        for start in range(0, len(wanted), _BATCH):
            self._send(connection, "SUBSCRIBE", wanted[start : start + _BATCH])
        self._heard = time.monotonic()
        self._asked = 0.0
        fileno = _fileno(connection)
        while not self._closed:
            self._carry_out_orders(connection)
            if self._take(connection):
                self._heard = time.monotonic()
                time.sleep(0)  # other threads have their turn
            else:
                self._require_life(connection)
                self._wakeup.wait(QUIET, fileno)

    def _carry_out_orders(self, connection: AbstractConnection) -> None:
        while self._orders:
            command, channel = self._orders.popleft()
            self._send(connection, command, [channel])

    def _send(
        self, connection: AbstractConnection, command: str, channels: Iterable[bytes]
    ) -> None:
        connection.send_command(self._prefix + command, *channels, check_health=False)

    def _require_life(self, connection: AbstractConnection) -> None:
        now = time.monotonic()
        if self._asked > self._heard:
            if now - self._asked > DEADLINE:
                raise BrokerError(f"no answer for {DEADLINE:g} s")
        elif now - self._heard >= QUIET:
            connection.send_command("PING", check_health=False)
            self._asked = now

    def _take(self, connection: AbstractConnection) -> bool:
        """Take what has arrived. Returns whether anything has."""
        new: set[bytes] = set()
        taken = 0
        while taken < _TURN and connection.can_read(timeout=0):
            taken += 1
            kind, *rest = connection.read_response(disconnect_on_error=False, push_request=True)
            if kind in (b"message", b"smessage"):
                if rest[0] in new:
                    self._listener.subscribed(new)
                    new = set()
                self._listener.message(*rest)
            elif kind in (b"subscribe", b"ssubscribe"):
                new.add(rest[0])
                self._recovered()
        if new:
            self._listener.subscribed(new)
        return taken > 0


def _fileno(connection: AbstractConnection) -> int:
    sock: Any = connection._sock
    return int(sock.fileno())
