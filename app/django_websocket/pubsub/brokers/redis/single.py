"""A Redis that is one server at a time: by its address, or the master that sentinels name."""

from __future__ import annotations

import select
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.connection import ConnectionPool
from redis.exceptions import RedisError, ResponseError, TimeoutError  # noqa: A004
from redis.sentinel import Sentinel, SentinelConnectionPool

from .address import Address
from .commands import LAST_LOOK, Command
from .subscriber import ConnectionSubscriber, socket_of

__all__ = ["SingleServer", "listening"]


class SingleServer:
    """Commands go over one connection, many of them in one step."""

    publish_command = "PUBLISH"
    threads = 1
    batch = 100

    def __init__(self, address: Address) -> None:
        self._pool = _sentinel_pool(address) if address.service else _pool(address)
        #: The connection for commands, unless it has failed.
        self._connection: Any = None

    def ready(self) -> bool:
        connection = self._connection
        if connection is None:
            return False
        try:
            usable = (
                socket_of(connection) is not None
                and not connection.can_read(timeout=0)  # its end, what else
                and self._pool.owns_connection(connection)  # sentinels have named no other master
            )
        except RedisError:
            usable = False
        if not usable:
            self._drop()
        return bool(usable)

    def execute(self, commands: Sequence[Command], seconds: float | None) -> Generator[Any]:
        deadline = None if seconds is None else time.monotonic() + seconds
        if not self.ready():
            self._connection = self._pool.get_connection()
        connection = self._connection
        complete = False
        try:
            packed = connection.pack_commands(commands)
            connection.send_packed_command(packed, check_health=False)
            for _ in commands:
                yield _reply(connection, deadline)
            complete = True
        finally:
            if not complete:  # late replies must not be taken for the next ones
                self._drop()

    def arrived(self) -> bool:
        connection = self._connection
        sock = None if connection is None else socket_of(connection)
        if sock is None:
            return False
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))

    def interrupt(self) -> None:
        if (connection := self._connection) is not None:
            connection.disconnect()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        connection.disconnect()
        self._pool.release(connection)

    @contextmanager
    def subscriber(self) -> Iterator[ConnectionSubscriber]:
        """A connection of its own."""
        with listening(self._pool) as connection:
            yield ConnectionSubscriber(connection)

    def close(self) -> None:
        self._pool.close()


@contextmanager
def listening(pool: ConnectionPool) -> Iterator[Any]:
    """An open connection, closed afterwards: nobody else must get its subscriptions."""
    connection: Any = pool.get_connection()
    try:
        yield connection
    finally:
        connection.disconnect()
        pool.release(connection)


def _reply(connection: Any, deadline: float | None) -> Any:
    left = connection.socket_timeout if deadline is None else deadline - time.monotonic()
    sock = socket_of(connection)
    sock.settimeout(max(left, 0.001))
    try:
        try:
            return connection.read_response(disconnect_on_error=False)
        except TimeoutError:
            # This process may have been too busy to read what has arrived.
            sock.settimeout(LAST_LOOK)
            return connection.read_response(disconnect_on_error=False)
    except ResponseError as error:
        return error


def _pool(address: Address) -> ConnectionPool:
    return ConnectionPool(**address.options)


def _sentinel_pool(address: Address) -> ConnectionPool:
    sentinel: Any = Sentinel(address.hosts, sentinel_kwargs=address.sentinel_options)
    make: Any = SentinelConnectionPool
    pool: ConnectionPool = make(address.service, sentinel, **address.options)
    return pool
