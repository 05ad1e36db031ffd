"""One connection of the broker's own, outside of Django's and its pool.

psycopg waits by ``poll()``, which gevent patches: a call blocks its greenlet, not the worker.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Generator
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.abc import RV, PQGen

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.base import PATIENCE

from .address import APP, Address

__all__ = ["Session", "open_session", "translated"]

#: Seconds after which a wait looks at its deadline.
_INTERVAL = 0.1

#: A statement ends on the server, too. What was just published may be lost when the server's host
#: crashes, but no transaction waits for the disk.
_SETTINGS = """
SET statement_timeout = 2000;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET synchronous_commit = off;
SET client_encoding = 'UTF8'
"""


class Session(psycopg.Connection[Any]):
    """A connection whose every call ends within :data:`PATIENCE` seconds."""

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:
        """As psycopg's, with a deadline. Raises ``psycopg.OperationalError`` and closes."""
        patience = PATIENCE if timeout is None else min(timeout, PATIENCE)
        try:
            return super().wait(_bounded(gen, time.monotonic() + patience), interval)
        except _Late:
            self.close()
            raise

    @property
    def is_usable(self) -> bool:
        """Whether it is open. One that was ended from the other side has something to say."""
        if self.closed:
            return False
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)


class _Late(psycopg.OperationalError):
    """The server did not answer in time."""


def _bounded(gen: PQGen[RV], deadline: float) -> Generator[Any, Any, RV]:
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise _Late("no answer within two seconds")
            # After a wait without an event, psycopg expects to go on waiting for the same.
            wanted = gen.send(ready) or wanted
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def open_session(address: Address, purpose: str) -> Session:
    """Connect; pg_stat_activity shows the ``purpose``.

    Raises ``psycopg.Error``, and :class:`BrokerError` for a pooler that cannot do.
    """
    session = _connected(address)
    try:
        _require_delivery(session, address)
        session.execute(_SETTINGS)
        session.execute(
            "SELECT set_config('application_name', %s, false)", [f"django_websocket {purpose}"]
        )
    except BaseException:
        session.close()
        raise
    return session


def _connected(address: Address) -> Session:
    return Session.connect(**address.parameters(), autocommit=True, prepare_threshold=1)


def _require_delivery(session: Session, address: Address) -> None:
    """Raises :class:`BrokerError` if a pooler keeps what a session listens to from reaching it.

    When a pooler stands between, the server's process is another than the one that libpq names.
    """
    row = session.execute("SELECT pg_backend_pid()").fetchone()
    if row is None or row[0] == session.info.backend_pid:
        return
    probe = f"django_websocket_probe_{uuid4().hex}"
    session.execute(f"LISTEN {probe}")
    with contextlib.closing(_connected(address)) as other:
        other.execute("SELECT pg_notify(%s, '')", [probe])
        poll = select.poll()
        poll.register(session.fileno(), select.POLLIN)
        arrived = poll.poll(PATIENCE * 1000)
    session.execute(f"UNLISTEN {probe}")
    if not arrived:
        raise BrokerError(
            f"{address} is reached through a pooler that shares connections between transactions, "
            "such as pgbouncer with pool_mode=transaction, so LISTEN receives nothing: name the "
            'server itself, as WEBSOCKET_BROKER = "postgresql://user:password@host:5432/name"'
        )


def translated(error: psycopg.Error, address: Address) -> BrokerError:
    """The error for a caller."""
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return BrokerError(
            f"{address} lacks the broker's tables: add {APP!r} to INSTALLED_APPS, and run "
            f"manage.py migrate ({error})"
        )
    return BrokerError(f"{address}: {str(error).strip()}")
