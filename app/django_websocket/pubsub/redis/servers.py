"""Where Redis is, by its URL, and how it is reached through redis-py.

============================================================  =================================
``redis://[user:password@]host[:6379][/database]``            one server
``rediss://…``                                                the same with TLS
``unix://[user:password@]/path[?db=database]``                the same on a socket
``redis+sentinel://[user:password@]host[:26379],…/service``   what the sentinels name as master
``redis+cluster://[user:password@]host[:6379],…``             a cluster, with sharded channels
============================================================  =================================

The last two also with ``rediss+``. Options behind ``?`` are redis-py's (``ssl_ca_certs``,
``socket_timeout``, …), ``sentinel_username`` and ``sentinel_password``, and ``prefix``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, ConnectionPool, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

__all__ = ["TIMEOUT", "Address", "listening", "single"]

#: Seconds that connecting to Redis, and an answer from it, may take.
TIMEOUT = 2.0

#: What keys and channels begin with by default. Publish/subscribe knows no databases, so two sites
#: on one Redis need two prefixes.
PREFIX = "websocket"


class Address:
    """A URL, taken apart. Raises ``ValueError``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        scheme, _, self.kind = parts.scheme.partition("+")
        user, _, hosts = parts.netloc.rpartition("@")
        query = dict(parse_qsl(parts.query))
        self.prefix = query.pop("prefix", PREFIX)
        self.sentinel_options = {
            name: query.pop(f"sentinel_{name}")
            for name in ("username", "password")
            if f"sentinel_{name}" in query
        }
        self.hosts = [_host(text, 26379 if self.kind == "sentinel" else 6379)
                      for text in hosts.split(",") if text]  # fmt: skip
        self.path = parts.path
        self.tls = scheme == "rediss"
        # redis-py knows the types of its options; of several hosts it sees the first one.
        host = hosts.partition(",")[0]
        plain = f"{scheme}://{user}{'@' if user else ''}{host}{'' if self.kind else parts.path}"
        self.options = parse_url(f"{plain}?{urlencode(query)}") | _defaults(query)
        self._name = f"{parts.scheme}://{hosts}{parts.path}"

    def __str__(self) -> str:
        """The URL without secrets."""
        return self._name

    def options_without(self, *names: str) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if name not in names}


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"expected host:port, found {text!r}")
    return parts.hostname, parts.port or default_port


def _defaults(query: dict[str, str]) -> dict[str, Any]:
    """For every connection. What is sent again might be published twice, so nothing is tried again
    down here."""
    options = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    given = {name: value for name, value in options.items() if name not in query}
    return given | {"retry": Retry(NoBackoff(), 0), "protocol": 2}


def single(address: Address) -> ConnectionPool:
    """The pool of a Redis that is one server at a time."""
    if address.kind != "sentinel":
        return ConnectionPool(**address.options)
    service = address.path.strip("/")
    if not service or not address.hosts:
        raise ValueError(f"expected redis+sentinel://host:port,…/service, found {address}")
    options = address.options_without("host", "port", "connection_class")
    sentinel = Sentinel(address.hosts, sentinel_kwargs=_of_sentinels(address, options))
    return SentinelConnectionPool(service, sentinel, ssl=address.tls, **options)


def _of_sentinels(address: Address, options: dict[str, Any]) -> dict[str, Any]:
    """Sentinels have users of their own and no databases."""
    own = {name: value for name, value in options.items() if name not in _CREDENTIALS}
    return own | address.sentinel_options | ({"ssl": True} if address.tls else {})


_CREDENTIALS = ("username", "password", "db")


@contextmanager
def listening(pool: ConnectionPool) -> Iterator[AbstractConnection]:
    """An open connection that is not used for anything else afterwards."""
    connection = pool.get_connection()
    try:
        yield connection
    finally:
        connection.disconnect()
        pool.release(connection)
