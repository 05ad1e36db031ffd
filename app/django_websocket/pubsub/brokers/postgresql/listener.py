"""Listens in a thread of its own, and reconnects after PostgreSQL was lost.

Under a gevent worker, which has patched threads, the thread is a greenlet. Nobody else touches the
connection: others say what they want, and wake the thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import select
import socket
import threading
import time
from base64 import b64decode
from collections import Counter, deque
from typing import Protocol

import psycopg
from gevent import GreenletExit

from django_websocket.errors import BrokerError
from django_websocket.pubsub.backoff import Backoff
from django_websocket.pubsub.brokers.base import PATIENCE, Entry, Receiver, Wanted

from .address import Address
from .session import Session, open_session, translated

__all__ = ["Listener"]

logger = logging.getLogger("django_websocket")

#: Seconds of silence after which PostgreSQL is asked whether it is still there.
_QUIET = 5.0

#: A message, as the database's functions notify of it; a large one has no text.
_NOTE = re.compile(
    r"([0-9]{13}-[0-9]{6}) ([0-9]{13}-[0-9]{6}) (?P<channel>\S+) ([A-Za-z0-9+/=\n]*)"
)


class Reader(Protocol):
    """What the listener needs of the broker."""

    def answer(self, wanted: Wanted | None) -> None:
        """Read what the receiver wants."""

    def payload(self, channel: str, id: str) -> bytes | None:  # noqa: A002
        """Read a large message."""


class Listener:
    """Listens from the first :meth:`subscribe` until :meth:`close`."""

    def __init__(self, address: Address, reader: Reader) -> None:
        self._address = address
        self._reader = reader
        self.receiver: Receiver | None = None
        # Held while the two below change. Never while waiting.
        self._lock = threading.Lock()
        self._wanted: set[str] = set()
        #: What to do, in order: subscribe to a channel (True), or no longer.
        self._orders: deque[tuple[bool, str]] = deque()
        #: The channels that the receiver knows of; how many of them have a name to LISTEN to.
        self._subscribed: set[str] = set()
        self._names: Counter[str] = Counter()
        self._thread: threading.Thread | None = None
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._closed = False
        self._backoff = Backoff()
        self._failure: BrokerError | None = None
        self._arrived: deque[psycopg.Notify] = deque()
        self._warned = False

    def check(self) -> None:
        """Raises :class:`~django_websocket.errors.BrokerError` while disconnected."""
        if self._failure is not None:
            raise BrokerError(f"{self._address} is disconnected") from self._failure

    def subscribe(self, channel: str) -> None:
        """Begin to deliver a channel."""
        with self._lock:
            self._wanted.add(channel)
            self._orders.append((True, channel))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="postgresql", daemon=True)
                self._thread.start()
        self._wake()

    def unsubscribe(self, channel: str) -> None:
        """No longer deliver a channel."""
        with self._lock:
            self._wanted.discard(channel)
            self._orders.append((False, channel))
        self._wake()

    def close(self) -> None:
        """End the thread, and with it the connection."""
        self._closed = True
        self._wake()
        thread = self._thread
        if thread is None:
            self._close_sockets()
        elif thread is not threading.current_thread():
            thread.join(PATIENCE)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it has been woken often enough, or has ended
            self._theirs.send(b"!")

    def _close_sockets(self) -> None:
        self._ours.close()
        self._theirs.close()

    # In the thread

    def _run(self) -> None:
        while not self._closed:
            try:
                with contextlib.closing(open_session(self._address, "listener")) as session:
                    self._listen(session)
            except psycopg.Error as error:
                self._fail(translated(error, self._address))
            except (BrokerError, OSError) as error:
                self._fail(error)
            except GreenletExit:
                raise
            except BaseException as error:
                logger.exception("Listening to %s failed", self._address)
                self._fail(error)
        self._close_sockets()

    def _fail(self, error: BaseException) -> None:
        if self._closed or self.receiver is None:
            return
        if self._failure is None:
            logger.warning("Lost %s, reconnecting until it is back: %s", self._address, error)
        self._failure = BrokerError(str(error))
        with self._lock:
            wanted = list(self._wanted)
        self.receiver.lost(wanted)
        deadline = time.monotonic() + self._backoff.fail()
        while not self._closed and (left := deadline - time.monotonic()) > 0:
            self._wait(left)

    def _listen(self, session: Session) -> None:
        """Raises what ends the session."""
        self._arrived.clear()
        session.add_notify_handler(self._arrived.append)
        prefix = _prefix(session)
        self._subscribed.clear()
        self._names.clear()
        with self._lock:
            self._orders.clear()
            wanted = list(self._wanted)
        self._start(session, prefix, wanted)
        if self._failure is not None:
            logger.info("Reconnected to %s", self._address)
        self._failure = None
        self._backoff.reset()
        while not self._closed:
            self._carry_out_orders(session, prefix)
            self._deliver()
            if not self._orders and not self._wait(_QUIET, session.fileno()):
                session.execute("SELECT 1")
            _take(session, self._arrived)

    def _wait(self, seconds: float, *filenos: int) -> bool:
        """Wait until a descriptor is readable or someone wakes us. Returns whether any has."""
        poll = select.poll()
        for fileno in (self._ours.fileno(), *filenos):
            poll.register(fileno, select.POLLIN)
        ready = bool(poll.poll(seconds * 1000))
        with contextlib.suppress(BlockingIOError):
            self._ours.recv(4096)
        return ready

    def _carry_out_orders(self, session: Session, prefix: str) -> None:
        new: dict[str, None] = {}
        while self._orders:
            begin, channel = self._orders.popleft()
            if begin:
                new[channel] = None
            else:
                new.pop(channel, None)
                self._stop(session, prefix, channel)
        self._start(session, prefix, list(new))

    def _start(self, session: Session, prefix: str, channels: list[str]) -> None:
        if not channels:
            return
        names = {channel: prefix + _bucket(channel) for channel in channels}
        if missing := {name for name in names.values() if not self._names[name]}:
            session.execute("; ".join(f'LISTEN "{name}"' for name in sorted(missing)))
        # What has arrived until now may be of these channels: it is in what the receiver reads.
        for channel in channels:
            if channel not in self._subscribed:
                self._subscribed.add(channel)
                self._names[names[channel]] += 1
        assert self.receiver is not None  # noqa: S101
        self._reader.answer(self.receiver.subscribed(channels))

    def _stop(self, session: Session, prefix: str, channel: str) -> None:
        if channel not in self._subscribed:
            return
        self._subscribed.discard(channel)
        name = prefix + _bucket(channel)
        self._names[name] -= 1
        if not self._names[name]:
            session.execute(f'UNLISTEN "{name}"')

    def _deliver(self) -> None:
        assert self.receiver is not None  # noqa: S101
        while self._arrived:
            note = _NOTE.fullmatch(self._arrived.popleft().payload)
            if note is None:
                self._warn_of_foreign()
            elif note["channel"] in self._subscribed:
                self.receiver.give_way()
                self._deliver_one(note)

    def _deliver_one(self, note: re.Match[str]) -> None:
        assert self.receiver is not None  # noqa: S101
        id, previous, channel, text = note.groups()  # noqa: A001
        payload = b64decode(text) if text else self._reader.payload(channel, id)
        if payload is None:
            # It has been removed since: the receiver finds the gap in the history.
            self._reader.answer(self.receiver.subscribed([channel]))
        else:
            self._reader.answer(self.receiver.message(channel, Entry(id, previous, payload)))

    def _warn_of_foreign(self) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "Ignored a notification from %s that is none of ours: publish() alone may notify "
                "django_websocket_*",
                self._address,
            )


def _take(session: Session, arrived: deque[psycopg.Notify]) -> None:
    """Take what has arrived. Raises ``psycopg.OperationalError`` if the connection has ended."""
    session.pgconn.consume_input()
    while note := session.pgconn.notifies():
        arrived.append(psycopg.Notify(note.relname.decode(), note.extra.decode(), note.be_pid))


def _prefix(session: Session) -> str:
    row = session.execute("SELECT django_websocket_listen_to('')").fetchone()
    assert row is not None  # noqa: S101
    return str(row[0])[:-2]


def _bucket(channel: str) -> str:
    return hashlib.md5(channel.encode(), usedforsecurity=False).hexdigest()[:2]
