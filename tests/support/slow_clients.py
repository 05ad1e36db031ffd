"""Connections that send a header byte by byte, and never its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .raw_http import Connection

COUNT = 300


class SlowClients:
    """So many, each with the beginning of a request for a page of the chat."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = connections
        for connection in connections:
            connection.send(b"GET /chat/ HTTP/1.1\r\nHost: localhost\r\nX: ")

    def send_a_byte(self) -> None:
        """Each its next one, unless the server has closed it."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.send(b"x")

    def closed(self) -> int:
        """How many the server closes; waits for each."""
        return sum(connection.is_closed() for connection in self._connections)


@contextlib.contextmanager
def slow_clients(port: int) -> Iterator[SlowClients]:
    with contextlib.ExitStack() as sockets:
        yield SlowClients([sockets.enter_context(Connection(port)) for _ in range(COUNT)])
