"""The address of Redis, from its URL.

============================================================  =================================
``redis://[user:password@]host[:6379][/database]``            one server
``rediss://…``                                                the same with TLS
``unix://[user:password@]/path[?db=database]``                the same on a socket
``redis+sentinel://[user:password@]host[:26379],…/service``   what the sentinels name as master
``redis+cluster://[user:password@]host[:6379],…``             a cluster, with sharded channels
============================================================  =================================

The last two also work with ``rediss+``. After ``?`` follow options of redis-py (``ssl_ca_certs``,
``socket_timeout``, …), ``sentinel_username`` and ``sentinel_password``, ``prefix``, and, unless it
is a cluster, ``wait``: how many replicas must have a message before publish() returns.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, parse_url
from redis.retry import Retry

__all__ = ["TIMEOUT", "Address"]

#: Seconds that a call may take. So long may also take what goes on without its caller: connecting
#: to one address, or an answer.
TIMEOUT = 2.0

#: The default prefix of keys and channels. Publish/subscribe ignores database numbers, so two sites
#: on one Redis need two prefixes.
PREFIX = "websocket"

_DEFAULT_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}


class Address:
    """A parsed URL. Its str() is the URL without secrets. Raises ``ValueError``.

    ``options`` are a connection's, ``sentinel_options`` those of one to a sentinel; ``service`` is
    empty without sentinels, ``hosts`` empty on a unix socket.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        user, _, hosts = parts.netloc.rpartition("@")
        query = dict(parse_qsl(parts.query))
        if kind not in _DEFAULT_PORTS:
            raise ValueError(f"expected +sentinel or +cluster, found {parts.scheme}")
        self._name = f"{parts.scheme}://{hosts}{parts.path}"
        self.cluster = kind == "cluster"
        self.service = parts.path.strip("/") if kind == "sentinel" else ""
        self.prefix = query.pop("prefix", PREFIX)
        #: How many replicas must have a message; 0: nobody asks.
        self.wait = _count(query.pop("wait", "0"))
        if self.wait and self.cluster:
            raise ValueError("expected no wait: a cluster does not know which replica has what")
        sentinel = {name: query.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        self.hosts = [_host(text, _DEFAULT_PORTS[kind]) for text in hosts.split(",") if text]
        if kind and not (self.hosts and (self.cluster or self.service)):
            raise ValueError(
                f"expected {parts.scheme}://host,…{'' if self.cluster else '/service'}"
            )
        # redis-py knows the types of its options. It does not need several hosts here.
        known = f"{scheme}://{f'{user}@' if user else ''}{'' if kind else hosts + parts.path}"
        self.options = _options(f"{known}?{urlencode(query)}")
        if kind:
            tls = self.options.pop("connection_class", None) is not None
            self.options |= {"ssl": True} if tls else {}
        _check(self.options)
        own = {key: value for key, value in self.options.items() if key not in ("username", "db")}
        self.sentinel_options = own | sentinel
        #: Seconds that a call may take, whatever it waits for.
        self.timeout: float = self.options["socket_timeout"]

    def __str__(self) -> str:
        return self._name


def _options(url: str) -> dict[str, Any]:
    """No retries here: a message that is sent again might be published twice."""
    parse: Any = parse_url
    return {
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        **parse(url),
    }


def _check(options: dict[str, Any]) -> None:
    """Raises ``ValueError`` for an option that no connection of redis-py takes."""
    encrypted = SSLConnection if options.get("ssl") else Connection
    kind: Any = options.get("connection_class", encrypted)
    of_a_pool = ("connection_class", "max_connections", "ssl")
    try:
        kind(**{name: value for name, value in options.items() if name not in of_a_pool})
    except TypeError as error:
        name = str(error).rpartition("argument ")[2]
        raise ValueError(f"expected options of redis-py after the ?, found {name}") from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"expected a number of replicas to wait for, found {text!r}")
    return int(text)


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"expected host:port, found {text!r}")
    return parts.hostname, parts.port or default_port
