"""``sqlite:///path``: a broker for the processes of one host, as an example of a backend.

It is described in docs/how-to/write-a-broker.md.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from django_websocket.errors import BrokerError
from django_websocket.pubsub.backoff import Backoff
from django_websocket.pubsub.brokers.base import (
    PATIENCE,
    REMEMBERED,
    Broker,
    Entry,
    History,
    Receiver,
)
from django_websocket.pubsub.message import CLEARED, ZERO, make_id, retraction

#: Seconds between two looks at what others have published, and for which that can be looked at.
POLL, OUTBOX = 0.02, 60.0

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS channels (name TEXT PRIMARY KEY, last TEXT, expires REAL);
CREATE TABLE IF NOT EXISTS history (
    channel TEXT, id TEXT, previous TEXT, payload BLOB, PRIMARY KEY (channel, id)
);
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT, id TEXT, previous TEXT, payload BLOB, time REAL
);
CREATE TABLE IF NOT EXISTS begun (one INTEGER PRIMARY KEY, id TEXT);
"""


class SqliteBroker(Broker):
    def __init__(self, url: str) -> None:
        self._path = urlsplit(url).path
        if len(self._path) < 2:
            raise ValueError(f"expected sqlite:///path, found {url!r}")
        self._receiver: Receiver | None = None
        # Held while the two below change. Never while waiting.
        self._lock = threading.Lock()
        #: The channels to subscribe to, and those that the receiver knows of.
        self._new: set[str] = set()
        self._subscribed: set[str] = set()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._prepared = False
        self._failure: Exception | None = None

    # Publishing

    def publish(self, channel: str, payload: bytes, history: int, ttl: float) -> str:
        with self._transaction() as database:
            return self._publish(database, channel, payload, history, ttl)

    def retract(self, channel: str, id: str, history: int, ttl: float) -> str:  # noqa: A002
        with self._transaction() as database:
            payload = retraction(id)
            database.execute(
                "UPDATE history SET payload = ? WHERE channel = ? AND id = ?",
                (payload, channel, id),
            )
            kept = database.execute("SELECT count(*) FROM history WHERE channel = ?", (channel,))
            most = max(kept.fetchone()[0], history, 1)
            ttl = max(ttl, self._left(database, channel))
            return self._publish(database, channel, payload, most, ttl)

    def clear(self, channel: str, ttl: float) -> str:
        with self._transaction() as database:
            ttl = max(ttl, self._left(database, channel))
            database.execute("DELETE FROM history WHERE channel = ?", (channel,))
            return self._publish(database, channel, CLEARED, 1, ttl)

    def _publish(
        self, database: sqlite3.Connection, channel: str, payload: bytes, history: int, ttl: float
    ) -> str:
        now = time.time()
        self._forget_expired(database, now)
        last = self._last(database, channel)
        new = _id_after(last, now)
        entry = (channel, new, last, payload)
        database.execute(
            "INSERT OR REPLACE INTO channels VALUES (?, ?, ?)", (channel, new, now + ttl)
        )
        database.execute("INSERT INTO outbox VALUES (NULL, ?, ?, ?, ?, ?)", (*entry, now))
        if history:
            database.execute("INSERT INTO history VALUES (?, ?, ?, ?)", entry)
            database.execute(
                "DELETE FROM history WHERE channel = :channel AND id <= (SELECT id FROM history"
                " WHERE channel = :channel ORDER BY id DESC LIMIT 1 OFFSET :history)",
                {"channel": channel, "history": history},
            )
        return new

    def _left(self, database: sqlite3.Connection, channel: str) -> float:
        """Seconds for which the channel's history is still kept."""
        row = database.execute("SELECT expires FROM channels WHERE name = ?", (channel,)).fetchone()
        return row[0] - time.time() if row else 0.0

    def _last(self, database: sqlite3.Connection, channel: str) -> str:
        row = database.execute("SELECT last FROM channels WHERE name = ?", (channel,)).fetchone()
        return row[0] if row else ZERO

    def _forget_expired(self, database: sqlite3.Connection, now: float) -> None:
        database.execute("DELETE FROM outbox WHERE time < ?", (now - OUTBOX,))
        database.execute("DELETE FROM channels WHERE expires < ?", (now - REMEMBERED,))
        database.execute(
            "DELETE FROM history WHERE channel IN (SELECT name FROM channels WHERE expires < ?)",
            (now,),
        )

    # Reading

    def read(
        self, positions: Sequence[tuple[str, str | None]], limit: int | None = None
    ) -> list[History]:
        with self._transaction() as database:
            now = time.time()
            self._forget_expired(database, now)
            [begun] = database.execute("SELECT id FROM begun").fetchone()
            # What has been published since then, this broker knows of.
            whole_since = max(begun, make_id(int((now - REMEMBERED) * 1000), 0))
            return [
                self._read(database, channel, position, limit)._replace(whole_since=whole_since)
                for channel, position in positions
            ]

    def _read(
        self, database: sqlite3.Connection, channel: str, position: str | None, limit: int | None
    ) -> History:
        last = self._last(database, channel)
        if position is None:
            return History((), last)
        rows = database.execute(
            "SELECT id, previous, payload FROM history"
            " WHERE channel = ? AND id > ? ORDER BY id LIMIT ?",
            (channel, position, -1 if limit is None else limit + 1),
        )
        entries = [Entry(*row) for row in rows]
        if limit is None or len(entries) <= limit:
            return History(entries, last)
        return History(entries[:limit], last, more=entries[limit - 1].id)

    # Listening

    def listen(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def subscribe(self, channel: str) -> None:
        with self._lock:
            self._new.add(channel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sqlite", daemon=True)
                self._thread.start()

    def unsubscribe(self, channel: str) -> None:
        with self._lock:
            self._new.discard(channel)
            self._subscribed.discard(channel)

    def _run(self) -> None:
        seen: int | None = None
        backoff, pause = Backoff(), 0.0
        while not self._closed.wait(pause):
            try:
                seen = self._poll(seen)
            except Exception as error:  # noqa: BLE001 - the thread serves all channels
                self._lose(error)
                pause = backoff.fail()
            else:
                self._failure = None
                backoff.reset()
                pause = POLL

    def _poll(self, seen: int | None) -> int:
        """Deliver what was published after the row ``seen``; return the number of the last row."""
        assert self._receiver is not None
        if seen is None:
            seen = self._newest()
        with self._lock:
            new, self._new = self._new, set()
            self._subscribed |= new
        if new:
            self.answer(self._receiver.subscribed(new))
        with self._transaction() as database:
            rows = database.execute(
                "SELECT number, channel, id, previous, payload FROM outbox"
                " WHERE number > ? ORDER BY number",
                (seen,),
            ).fetchall()
        for number, channel, *entry in rows:
            if channel in self._subscribed:
                self._receiver.give_way()
                self.answer(self._receiver.message(channel, Entry(*entry)))
            seen = number
        return seen

    def _newest(self) -> int:
        with self._transaction() as database:
            row = database.execute("SELECT max(number) FROM outbox").fetchone()
        return row[0] or 0

    def _lose(self, error: Exception) -> None:
        """Every channel is to be subscribed to again, and brought up to date from its history."""
        assert self._receiver is not None
        self._failure = error
        with self._lock:
            self._new |= self._subscribed
            channels = [*self._new]
        self._receiver.lost(channels)

    def check(self) -> None:
        if self._failure is not None:
            raise BrokerError(f"{self._path} cannot be read") from self._failure
        with self._transaction():
            pass

    def close(self) -> None:
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(PATIENCE)

    # The database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One step, which is done as a whole or not at all. Raises :class:`BrokerError`."""
        try:
            with closing(self._connect()) as database:
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
        except sqlite3.Error as error:
            raise BrokerError(f"{self._path}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        database.execute("PRAGMA synchronous = NORMAL")
        if not self._prepared:
            database.executescript(TABLES)
            begun = make_id(int(time.time() * 1000), 0)
            database.execute("INSERT OR IGNORE INTO begun VALUES (1, ?)", (begun,))
            self._prepared = True
        return database


def _id_after(last: str, now: float) -> str:
    """An id of the present time that is greater than ``last``."""
    new = make_id(int(now * 1000), 0)
    if new > last:
        return new
    milliseconds, _, sequence = last.partition("-")
    number = int(milliseconds) * 1_000_000 + int(sequence) + 1
    return make_id(*divmod(number, 1_000_000))
