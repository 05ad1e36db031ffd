"""The broker: what it asks of the functions in the database, each of them one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.base import (
    CHANGES,
    CHANGES_TTL,
    PATIENCE,
    REMEMBERED,
    Broker,
    Entry,
    History,
    Presence,
    Receiver,
    Roster,
)
from django_websocket.pubsub.message import CLEARED, ZERO, make_id, presence_channel

from .address import APP, Address
from .listener import Listener
from .session import Session, open_session, translated

__all__ = ["PostgreSQLBroker"]

#: Seconds between two removals of what has expired.
_SWEEP = 60.0

_READ = """
SELECT wanted.number, channel.last, begun.id, history.id, history.previous, history.payload
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS wanted (channel, position, number)
CROSS JOIN django_websocket_begun AS begun
LEFT JOIN django_websocket_channel AS channel
    ON channel.name = wanted.channel AND channel.expires > clock_timestamp() - interval '1 day'
LEFT JOIN LATERAL (
    SELECT id, previous, payload FROM django_websocket_history
    WHERE channel = wanted.channel AND id > wanted.position AND channel.expires > clock_timestamp()
    ORDER BY id LIMIT %s
) AS history ON true
ORDER BY wanted.number, history.id
"""

#: One row at least, also where nobody is.
_ROSTER = """
SELECT changes.last, presence.name, sum(presence.count)
FROM (VALUES (%s::text, %s::text)) AS wanted (changes, channel)
LEFT JOIN django_websocket_channel AS changes
    ON changes.name = wanted.changes AND changes.expires > clock_timestamp() - interval '1 day'
LEFT JOIN django_websocket_presence AS presence ON presence.channel = wanted.channel
GROUP BY changes.last, presence.name
"""

_EXPIRED = (
    "DELETE FROM django_websocket_large WHERE published < clock_timestamp() - interval '1 minute'",
    """
    WITH expired AS (
        SELECT name FROM django_websocket_channel WHERE expires < clock_timestamp() AND kept > 0
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    ), emptied AS (
        UPDATE django_websocket_channel SET kept = 0, size = 0
        WHERE name IN (SELECT name FROM expired)
    )
    DELETE FROM django_websocket_history WHERE channel IN (SELECT name FROM expired)
    """,
    """
    DELETE FROM django_websocket_channel WHERE name IN (
        SELECT name FROM django_websocket_channel
        WHERE expires < clock_timestamp() - interval '1 day' AND kept = 0
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
    """,
)


class PostgreSQLBroker(Broker, Presence):
    """Two connections for each process: one listens, and one does all else."""

    app = APP

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self._most: int | None = None
        #: Held during a call: a connection does one thing at a time.
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._answered_at = 0.0
        self._swept_at = time.monotonic()
        self._listener = Listener(self._address, self)

    def keep_at_most(self, size: int) -> None:
        self._most = size

    def publish(self, channel: str, payload: bytes, history: int, ttl: float) -> str:
        self._sweep()
        return str(self._value("publish", _text(channel), payload, history, float(ttl), self._most))

    def retract(self, channel: str, id: str, history: int, ttl: float) -> str:  # noqa: A002
        return str(self._value("retract", _text(channel), id, history, float(ttl), self._most))

    def edit(
        self,
        channel: str,
        id: str,  # noqa: A002
        payload: bytes,
        history: int,
        ttl: float,
    ) -> str | None:
        found: str | None = self._value(
            "edit", _text(channel), id, payload, history, float(ttl), self._most
        )
        return found

    def clear(self, channel: str, ttl: float) -> str:
        return str(self._value("clear", _text(channel), CLEARED, float(ttl), self._most))

    def read(
        self, positions: Sequence[tuple[str, str | None]], limit: int | None = None
    ) -> list[History]:
        channels = [_text(channel) for channel, _ in positions]
        after = [position for _, position in positions]
        rows = self._rows(_READ, [channels, after, None if limit is None else limit + 1])
        return [_history(list(own), limit) for _, own in groupby(rows, key=lambda row: row[0])]

    def payload(self, channel: str, id: str) -> bytes | None:  # noqa: A002
        """A message that was too large to be delivered itself; None if it is gone."""
        rows = self._rows(
            "SELECT payload FROM django_websocket_history WHERE channel = %s AND id = %s UNION ALL "
            "SELECT payload FROM django_websocket_large WHERE channel = %s AND id = %s",
            [channel, id, channel, id],
        )
        return rows[0][0] if rows else None

    def announce(
        self, channel: str, process: str, counts: Mapping[str, int], ttl: float, stamp: str | None
    ) -> str | None:
        return self._announce(channel, process, counts, float(ttl), stamp)

    def roster(self, channel: str) -> Roster:
        self._announce(channel, None, {}, 0.0, None)
        rows = self._rows(_ROSTER, [_text(presence_channel(channel)), _text(channel)])
        people = {name: int(count) for _, name, count in rows if name is not None}
        return Roster(people, rows[0][0] or ZERO)

    def _announce(
        self,
        channel: str,
        process: str | None,
        counts: Mapping[str, int],
        ttl: float,
        stamp: str | None,
    ) -> str | None:
        found: str | None = self._value(
            "announce",
            _text(channel),
            process,
            Jsonb({_text(name): count for name, count in counts.items()}),
            ttl,
            stamp,
            CHANGES,
            CHANGES_TTL,
        )
        return found

    def listen(self, receiver: Receiver) -> None:
        self._listener.receiver = receiver

    def subscribe(self, channel: str) -> None:
        self._listener.subscribe(_text(channel))

    def unsubscribe(self, channel: str) -> None:
        self._listener.unsubscribe(_text(channel))

    def check(self) -> None:
        self._listener.check()
        self._rows("SELECT id FROM django_websocket_begun", [])

    def facts(self) -> Mapping[str, str]:
        [(version, queue, channels, size)] = self._rows(
            "SELECT current_setting('server_version'), pg_notification_queue_usage(), "
            "(SELECT count(*) FROM django_websocket_channel), "
            "pg_size_pretty(pg_total_relation_size('django_websocket_history'))",
            [],
        )
        return {
            "version": str(version),
            "queue of notifications": f"{queue:.0%}",
            "channels": str(channels),
            "histories": str(size),
        }

    @property
    def answered_at(self) -> float:
        return self._answered_at

    def close(self) -> None:
        self._listener.close()
        with self._lock:
            self._disconnect()

    # The connection for calls

    def _value(self, function: str, *arguments: Any) -> Any:
        """The result of one of the broker's functions."""
        marks = ", ".join("%b" if isinstance(a, bytes) else "%s" for a in arguments)
        [(value,)] = self._rows(f"SELECT django_websocket_{function}({marks})", arguments)
        return value

    def _rows(self, query: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        if not self._lock.acquire(timeout=PATIENCE):
            raise BrokerError(f"{self._address} is busy with other calls of this process")
        try:
            cursor = self._connected().execute(query, arguments, binary=True)
            rows = cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            if self._session is not None and (
                self._session.closed or isinstance(error, psycopg.OperationalError)
            ):
                self._disconnect()
            raise translated(error, self._address) from error
        except OSError as error:
            self._disconnect()
            raise BrokerError(f"{self._address}: {error}") from error
        except BaseException:  # this greenlet was killed in the middle of a call
            self._disconnect()
            raise
        finally:
            self._lock.release()
        self._answered_at = time.monotonic()
        return rows

    def _connected(self) -> Session:
        if self._session is None or not self._session.is_usable:
            self._disconnect()
            self._session = open_session(self._address, "calls")
        return self._session

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _sweep(self) -> None:
        """Now and then, remove what has expired."""
        now = time.monotonic()
        if now - self._swept_at < _SWEEP:
            return
        self._swept_at = now
        for query in _EXPIRED:
            self._rows(query, [])


def _text(channel: str) -> str:
    """A plain ``str``: psycopg writes members of an Enum by their names."""
    return str.__str__(channel)


def _history(rows: list[tuple[Any, ...]], limit: int | None) -> History:
    last, begun = rows[0][1] or ZERO, rows[0][2]
    entries = [Entry(*row[3:]) for row in rows if row[3] is not None]
    whole_since = max(begun, make_id(int((time.time() - REMEMBERED) * 1000), 0))
    more = None
    if limit is not None and len(entries) > limit:
        entries = entries[:limit]
        more = entries[-1].id
    return History(entries, last, more, whole_since)
