"""The protocol of a subscribed connection, from its opening to its loss."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from redis.connection import AbstractConnection

from django_websocket.errors import BrokerError

__all__ = ["ConnectionSubscriber", "News", "Subscriber", "socket_of"]

#: Seconds of silence after which we ping Redis, and how long it has to answer.
#: A connection can be dead without either side knowing.
QUIET, DEADLINE = 2.0, 3.0

#: Channels in one command.
_BATCH = 500

_KINDS = {
    b"message": "message",
    b"smessage": "message",
    b"subscribe": "subscribed",
    b"ssubscribe": "subscribed",
    b"sunsubscribe": "unsubscribed",
}


class News(NamedTuple):
    """``kind`` is ``message``, ``subscribed``, ``unsubscribed`` or, for anything else, empty."""

    kind: str
    channel: bytes
    data: bytes


class Subscriber(Protocol):
    """Every method raises the error that ends it."""

    def subscribe(self, channels: Sequence[bytes]) -> None: ...

    def unsubscribe(self, channel: bytes) -> None: ...

    def next(self) -> News | None:
        """What has arrived, if anything has. Does not wait."""

    def require_life(self) -> None:
        """Ping Redis from time to time. Call it every ``QUIET`` seconds."""

    def filenos(self) -> list[int]:
        """Readable when something arrives."""


def socket_of(connection: Any) -> Any:
    """The socket of a connection; None while there is none.

    redis-py has no public name for it. We need it, as each reply has a timeout of its own, and as
    we wait for several connections at once.
    """
    return connection._sock


class ConnectionSubscriber:
    """A subscriber of one server. ``sharded``: the channels are those of a cluster's shard."""

    def __init__(self, connection: AbstractConnection, *, sharded: bool = False) -> None:
        self._connection: Any = connection
        self._prefix = "S" if sharded else ""
        #: When Redis last answered, and was last pinged, in time.monotonic().
        self._heard = time.monotonic()
        self._asked = 0.0

    def subscribe(self, channels: Sequence[bytes]) -> None:
        for start in range(0, len(channels), _BATCH):
            self._send(f"{self._prefix}SUBSCRIBE", *channels[start : start + _BATCH])

    def unsubscribe(self, channel: bytes) -> None:
        self._send(f"{self._prefix}UNSUBSCRIBE", channel)

    def next(self) -> News | None:
        if not self._connection.can_read(timeout=0):
            return None
        kind, channel, *data = self._connection.read_response(
            disconnect_on_error=False, push_request=True
        )
        self._heard = time.monotonic()
        return News(_KINDS.get(kind, ""), channel, data[0] if data else b"")

    def require_life(self) -> None:
        now = time.monotonic()
        if self._asked > self._heard:
            if now - self._asked > DEADLINE:
                raise BrokerError(f"no answer for {DEADLINE:g} s")
        elif now - self._heard >= QUIET:
            self._send("PING")
            self._asked = now

    def filenos(self) -> list[int]:
        return [socket_of(self._connection).fileno()]

    def _send(self, *command: str | bytes) -> None:
        self._connection.send_command(*command, check_health=False)
