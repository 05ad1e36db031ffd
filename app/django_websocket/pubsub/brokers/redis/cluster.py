"""A Redis Cluster: each channel is one shard's, and one connection per node listens."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ResponseError

from django_websocket.errors import BrokerError

from .address import Address
from .commands import Command
from .single import listening
from .subscriber import ConnectionSubscriber, News

__all__ = ["Cluster"]


class Cluster:
    """redis-py's client sends each command to the right node."""

    publish_command = "SPUBLISH"
    #: An unreachable node blocks a thread, and with it the commands to others, for seconds.
    threads = 8
    batch = 1

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._client: Any = None

    def ready(self) -> bool:
        return False  # its client may have to find the node, or wait for another one

    def execute(self, commands: Sequence[Command], seconds: float | None) -> Generator[Any]:
        for command in commands:
            try:
                reply = self._connected().execute_command(command[0].decode(), *command[1:])
                yield _as_sent(reply) if command[0] == b"XRANGE" else reply
            except ResponseError as error:
                yield error

    def arrived(self) -> bool:
        return False  # its client does not say

    def interrupt(self) -> None:
        """Each connection ends by its own timeout."""

    def _connected(self) -> Any:
        """Raises ``RedisClusterException`` when no node answers."""
        with self._lock:
            if self._client is None:
                nodes = [ClusterNode(host, port) for host, port in self._address.hosts]
                self._client = RedisCluster(startup_nodes=nodes, **self._address.options)
            return self._client

    @contextmanager
    def subscriber(self) -> Iterator[_ClusterSubscriber]:
        """Its own connections to the nodes that it needs. Ends when the slots move."""
        client = self._connected()
        client.nodes_manager.initialize()
        with ExitStack() as stack:
            yield _ClusterSubscriber(client, stack)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _as_sent(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[Any]:
    """A stream's entries as Redis sends them, converted back from redis-py's form."""
    return [[id, [*chain.from_iterable(fields.items())]] for id, fields in entries]  # noqa: A001


class _ClusterSubscriber:
    def __init__(self, client: Any, stack: ExitStack) -> None:
        self._client = client
        self._stack = stack
        self._subscribers: dict[str, ConnectionSubscriber] = {}
        self._wanted: set[bytes] = set()

    def subscribe(self, channels: Sequence[bytes]) -> None:
        for channel in channels:  # a command may only name channels of one slot
            self._wanted.add(channel)
            self._subscriber(channel).subscribe([channel])

    def unsubscribe(self, channel: bytes) -> None:
        self._wanted.discard(channel)
        self._subscriber(channel).unsubscribe(channel)

    def next(self) -> News | None:
        for subscriber in self._subscribers.values():
            news = subscriber.next()
            if news is None:
                continue
            if news.kind == "unsubscribed" and news.channel in self._wanted:
                raise BrokerError("slots have moved to another node")
            return news
        return None

    def require_life(self) -> None:
        for subscriber in self._subscribers.values():
            subscriber.require_life()

    def filenos(self) -> list[int]:
        return [
            fileno for subscriber in self._subscribers.values() for fileno in subscriber.filenos()
        ]

    def _subscriber(self, channel: bytes) -> ConnectionSubscriber:
        node = self._client.get_node_from_key(channel)
        if node.name not in self._subscribers:
            pool = self._client.get_redis_connection(node).connection_pool
            connection = self._stack.enter_context(listening(pool))
            self._subscribers[node.name] = ConnectionSubscriber(connection, sharded=True)
        return self._subscribers[node.name]
