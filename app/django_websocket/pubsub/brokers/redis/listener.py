"""Listens to channels in a thread of its own, and reconnects after Redis was lost.

Under a gevent worker, which has patched threads, the thread is a greenlet. Nobody else touches the
connection: others put their requests into a queue, and wake the thread.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from gevent import GreenletExit
from redis.exceptions import RedisClusterException, RedisError

from django_websocket.errors import BrokerError
from django_websocket.pubsub.backoff import Backoff

from .address import TIMEOUT
from .subscriber import QUIET, Subscriber

__all__ = ["Callbacks", "Listener"]

logger = logging.getLogger("django_websocket")

#: Messages read in a row before other threads run.
_TURN = 64


class Callbacks(Protocol):
    """What the listener calls, in its thread. Channel names are those in Redis."""

    def subscribed(self, channels: Collection[bytes]) -> None: ...

    def message(self, channel: bytes, data: bytes) -> None: ...

    def lost(self, channels: Collection[bytes]) -> None: ...

    def give_way(self) -> None: ...


class _Wakeup:
    """One thread waits; any other thread may wake it."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def wake(self) -> None:
        """End the current wait, or the next one."""
        with contextlib.suppress(OSError):  # it has been woken often enough, or has ended
            self._theirs.send(b"!")

    def wait(self, seconds: float, filenos: Iterable[int] = ()) -> None:
        """Wait until a descriptor is readable, someone wakes us, or ``seconds`` have passed."""
        poll = select.poll()
        for fileno in (self._ours.fileno(), *filenos):
            poll.register(fileno, select.POLLIN)
        poll.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            self._ours.recv(4096)

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class Listener:
    """Listens from the first :meth:`subscribe` until :meth:`close`.

    ``open_subscriber`` returns a context manager; the subscriber ends with it.
    """

    def __init__(
        self,
        name: str,
        open_subscriber: Callable[[], AbstractContextManager[Subscriber]],
        callbacks: Callbacks,
    ) -> None:
        self._name = name
        self._open_subscriber = open_subscriber
        self._callbacks = callbacks
        self._wanted: set[bytes] = set()
        #: Channels to subscribe to (True) or to leave, in order.
        self._orders: deque[tuple[bool, bytes]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wakeup = _Wakeup()
        self._closed = False
        self._backoff = Backoff()
        self._lost_at: float | None = None
        #: Channels whose subscription Redis has not confirmed, and since when we wait for it.
        self._unconfirmed: set[bytes] = set()
        self._owed_since: float | None = None

    @property
    def silent_since(self) -> float:
        """Since when we wait for a reply of Redis, in time.monotonic(); now, if we do not."""
        owed_since = self._owed_since
        return time.monotonic() if owed_since is None else owed_since

    @property
    def lost(self) -> bool:
        return self._lost_at is not None

    def check(self) -> None:
        """Raises :class:`~django_websocket.errors.BrokerError` while disconnected."""
        if self._lost_at is not None:
            raise BrokerError(f"{self._name} is disconnected")

    def subscribe(self, channel: bytes) -> None:
        with self._lock:
            self._wanted.add(channel)
            self._order(True, channel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def unsubscribe(self, channel: bytes) -> None:
        with self._lock:
            self._wanted.discard(channel)
            self._order(False, channel)

    def close(self) -> None:
        """End the thread, and wait for it, unless the server blocks it."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is None:
            self._wakeup.close()
            return
        self._wakeup.wake()
        if thread is not threading.current_thread():
            thread.join(TIMEOUT)

    def _order(self, wanted: bool, channel: bytes) -> None:
        self._orders.append((wanted, channel))
        self._wakeup.wake()

    # In the thread

    def _run(self) -> None:
        while not self._closed:
            self._owe()
            try:
                with self._open_subscriber() as subscriber:
                    self._listen(subscriber)
            except (RedisError, RedisClusterException, BrokerError, OSError) as error:
                self._fail(error)
            except GreenletExit:
                raise
            except BaseException as error:
                logger.exception("Listening to %s failed", self._name)
                self._fail(error)
        self._wakeup.close()

    def _fail(self, error: BaseException) -> None:
        if self._closed:
            return
        if self._lost_at is None:
            logger.warning("Lost %s, reconnecting until it is back: %s", self._name, error)
            self._lost_at = time.monotonic()
        with self._lock:
            wanted = list(self._wanted)
        self._callbacks.lost(wanted)
        deadline = time.monotonic() + self._backoff.fail()
        while not self._closed and (left := deadline - time.monotonic()) > 0:
            self._wakeup.wait(left)

    def _recovered(self) -> None:
        if self._lost_at is not None:
            logger.info(
                "Reconnected to %s after %.1f s", self._name, time.monotonic() - self._lost_at
            )
        self._lost_at = None
        self._backoff.reset()

    def _listen(self, subscriber: Subscriber) -> None:
        """Raises what ends the subscriber."""
        with self._lock:
            self._orders.clear()
            wanted = list(self._wanted)
        self._unconfirmed.clear()
        self._subscribe(subscriber, wanted)
        while not self._closed:
            self._carry_out_orders(subscriber)
            if not self._take(subscriber):
                self._wakeup.wait(QUIET, subscriber.filenos())
            subscriber.require_life()

    def _carry_out_orders(self, subscriber: Subscriber) -> None:
        while self._orders:
            wanted, channel = self._orders.popleft()
            if wanted:
                self._subscribe(subscriber, [channel])
            else:
                self._unconfirmed.discard(channel)
                subscriber.unsubscribe(channel)

    def _subscribe(self, subscriber: Subscriber, channels: list[bytes]) -> None:
        # A server that lets us connect again has not answered what it owed before.
        self._owe()
        self._unconfirmed.update(channels)
        subscriber.subscribe(channels)

    def _owe(self) -> None:
        if self._owed_since is None:
            self._owed_since = time.monotonic()

    def _take(self, subscriber: Subscriber) -> bool:
        """Read what has arrived. Returns whether anything has."""
        new: set[bytes] = set()
        taken = 0
        while taken < _TURN and (news := subscriber.next()) is not None:
            self._callbacks.give_way()
            self._owed_since = time.monotonic()
            taken += 1
            if news.kind == "subscribed":
                new.add(news.channel)
                self._unconfirmed.discard(news.channel)
            elif news.kind == "message":
                if news.channel in new:
                    self._callbacks.subscribed(new)
                    new = set()
                self._callbacks.message(news.channel, news.data)
        if new:
            self._callbacks.subscribed(new)
        if taken:
            self._recovered()
            self._owed_since = time.monotonic() if self._unconfirmed else None
        return taken > 0
