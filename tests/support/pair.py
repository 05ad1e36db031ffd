"""One WebSocket of the engine on a socket pair, and the client's end of it in the test's hands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import gevent
from gevent import socket

from django_websocket.connection.websocket import WebSocket
from django_websocket.options import Options
from django_websocket.rfc6455.handshake import parse

from .frames import read_frame
from .server import PATIENCE

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "PATH_INFO": "/echo/",
    "HTTP_HOST": "testserver",
    "HTTP_ORIGIN": "http://testserver",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_PROTOCOL": "chat, superchat",
}


class Client:
    """The client's end. Reads wait for at most half a minute."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)

    def send(self, *frames: bytes) -> None:
        self.sock.sendall(b"".join(frames))

    def read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def read_head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read_exactly(1)
        return head

    def receive(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload. Raises ``EOFError``."""
        opcode, payload, _ = read_frame(self.read_exactly)
        return opcode, payload

    def receive_all(self) -> bytes:
        """What comes before the end of the stream."""
        data = b""
        while piece := self.sock.recv(65536):
            data += piece
        return data


@contextlib.contextmanager
def connection(
    *,
    accept: bool = True,
    early: bytes = b"",
    environ: dict[str, str] | None = None,
    **options: Any,
) -> Iterator[tuple[WebSocket, Client]]:
    """An open connection and its client. ``options`` are those of :class:`Options`."""
    ours, theirs = socket.socketpair()
    full = ENVIRON | (environ or {})
    with ours, theirs:
        websocket = WebSocket(ours, full, parse(full), Options(**options), on_accept=lambda: early)
        client = Client(theirs)
        if accept:
            websocket.accept()
            client.read_head()
        try:
            yield websocket, client
        finally:
            websocket._release()


def run_hub() -> None:
    """Let everything that is ready happen."""
    for _ in range(5):
        gevent.sleep(0.001)


def until(condition: Any, seconds: float = PATIENCE) -> None:
    """Let the hub run until ``condition()`` is true."""
    with gevent.Timeout(seconds, AssertionError("the condition did not come true")):
        while not condition():
            gevent.sleep(0.001)
