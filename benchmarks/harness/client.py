"""The load: clients on picows and uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .server import Server

Listener = TypeVar("Listener", bound=WSListener)

TIMEOUT = 60  # seconds, for a handshake and for the first echo

#: One address has too few ports: a closed TCP connection keeps its port for a minute.
_ADDRESSES = itertools.cycle(f"127.0.0.{number}" for number in range(1, 255))
_IP_BIND_ADDRESS_NO_PORT = 24  # the kernel picks the port once it knows the destination

# It warns whenever a large message does not fit the kernel's buffer, which we do on purpose.
logging.getLogger("picows").setLevel(logging.ERROR)


class Client(WSListener):
    """One connection that sends the same text again and again and expects it back."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.on_echo: Callable[[Client], None] | None = None
        self._first_echo: asyncio.Future[None] | None = None
        self._size = len(message)
        self._received = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def send(self) -> None:
        self.transport.send(WSMsgType.TEXT, self.message)

    async def verify(self) -> None:
        """One echo, compared byte by byte. Later ones are only compared by length."""
        self._first_echo = asyncio.get_running_loop().create_future()
        self.send()
        await asyncio.wait_for(self._first_echo, TIMEOUT)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        # The most frequent case comes first: the fastest servers wait for their clients here.
        if self.on_echo is not None and frame.payload_size == self._size and frame.fin:
            self.on_echo(self)
        else:
            self._on_other_frame(transport, frame)

    def _on_other_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        if self.on_echo is None:
            self._compare(frame)
        self._received += frame.payload_size
        if not frame.fin:
            return
        if self._received != self._size:
            raise ValueError(f"expected {self._size} bytes, found {self._received}")
        self._received = 0
        if self.on_echo is not None:
            self.on_echo(self)
        elif self._first_echo is not None:
            self._first_echo.set_result(None)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._first_echo is not None and not self._first_echo.done():
            self._first_echo.set_exception(ConnectionError("the server hung up"))

    def _compare(self, frame: WSFrame) -> None:
        end = self._received + frame.payload_size
        if frame.get_payload_as_bytes() != self.message[self._received : end]:
            raise ValueError("the echo differs from the message")


def text(size: int) -> bytes:
    """ASCII, as most JSON is."""
    sentence = b'{"text": "The quick brown fox jumps over the lazy dog."} '
    return (sentence * (size // len(sentence) + 1))[:size]


async def connect(server: Server, message: bytes = b"", logged_in: bool = True) -> Client:
    """A handshake like a browser's, with the session's cookie or without."""
    url = server.url("private" if logged_in else "public")
    return await open_socket(lambda: Client(message), url, server.headers(logged_in))


async def open_socket(
    listener: Callable[[], Listener], url: str, headers: dict[str, str]
) -> Listener:
    """Raises ``ConnectionError``."""
    opened: tuple[WSTransport, Listener | None] = await ws_connect(
        listener,
        url,
        extra_headers=headers,
        websocket_handshake_timeout=TIMEOUT,
        socket_factory=lambda url: _socket(),
    )
    _, client = opened
    if client is None:
        raise ConnectionError("the server hung up during the handshake")
    return client


@contextlib.asynccontextmanager
async def connected(server: Server, message: bytes, count: int) -> AsyncIterator[list[Client]]:
    """``count`` connections that have each echoed once. Raises if one was lost."""
    clients: list[Client] = []

    async def open_one() -> None:
        client = await connect(server, message)
        clients.append(client)
        await client.verify()

    try:
        await repeat(open_one, times=count)
        yield clients
        if lost := sum(client.transport.is_disconnected for client in clients):
            raise ConnectionError(f"the server hung up on {lost} of {count} connections")
    finally:
        for client in clients:
            client.transport.disconnect(graceful=False)


async def repeat(action: Callable[[], Awaitable[object]], times: int, at_once: int = 50) -> None:
    """Await ``action()`` that many times, ``at_once`` of them concurrently."""
    turns = iter(range(times))

    async def work() -> None:
        for _ in turns:
            await action()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, times)):
            group.create_task(work())


def _socket() -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((next(_ADDRESSES), 0))
    return connection
