"""A Redis that is one server at a time: by its address, or the master that sentinels name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.connection import ConnectionPool
from redis.sentinel import Sentinel, SentinelConnectionPool

from .address import Address
from .session import ConnectionSession

__all__ = ["SingleServer", "listening"]


class SingleServer:
    """``client`` sends commands."""

    publish_command = "PUBLISH"

    def __init__(self, address: Address) -> None:
        self._pool = _sentinel_pool(address) if address.service else _pool(address)
        self.client: Any = redis.Redis(connection_pool=self._pool)

    @contextmanager
    def session(self) -> Iterator[ConnectionSession]:
        """A connection of its own."""
        with listening(self._pool) as connection:
            yield ConnectionSession(connection)

    def close(self) -> None:
        self._pool.close()


@contextmanager
def listening(pool: ConnectionPool) -> Iterator[Any]:
    """An open connection, closed afterwards: nobody else is to hear its subscriptions."""
    connection: Any = pool.get_connection()
    try:
        yield connection
    finally:
        connection.disconnect()
        pool.release(connection)


def _pool(address: Address) -> ConnectionPool:
    return ConnectionPool(**address.options)


def _sentinel_pool(address: Address) -> ConnectionPool:
    sentinel: Any = Sentinel(address.hosts, sentinel_kwargs=address.sentinel_options)
    make: Any = SentinelConnectionPool
    pool: ConnectionPool = make(address.service, sentinel, **address.options)
    return pool
