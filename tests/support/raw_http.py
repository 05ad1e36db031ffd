"""HTTP as bytes on a socket: what a client library would correct or refuse to send."""

import http.client
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .server import PATIENCE

UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
SEC = (
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
HANDSHAKE = (*UPGRADE, *SEC)
H2C = (
    ("Connection", "Upgrade, HTTP2-Settings"),
    ("Upgrade", "h2c"),
    ("HTTP2-Settings", "AAMAAABk"),
)

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Response:
    """A response; a 101 has no body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def made_by_nginx(self) -> bool:
        return b"<center>nginx" in self.body


class Connection:
    """A client's connection to a port of this machine, or to the path of a unix socket.

    ``source`` is the client's own address, of this machine.
    """

    def __init__(
        self,
        address: int | Path,
        timeout: float = PATIENCE,
        receive_buffer: int | None = None,
        source: str | None = None,
    ):
        unix = isinstance(address, Path)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        if source is not None:
            self.socket.bind((source, 0))
        try:
            self.socket.connect(str(address) if unix else ("127.0.0.1", address))
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def response(self, method: str = "GET") -> Response | None:
        """The next response; None when the server closed the connection instead."""
        response = http.client.HTTPResponse(self, method=method)
        try:
            response.begin()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return None
        try:
            body = b"" if response.status == 101 else response.read()
        except http.client.IncompleteRead as error:
            body = error.partial
        return Response(response.status, response.headers, body)

    def makefile(self, mode: str):
        """HTTPResponse reads from here, and so leaves alone what follows the response."""
        return _KeptOpen(self._file)

    def frame(self) -> bytes:
        """The payload of the server's next frame; EOFError when there is none."""
        _, length = self.read(2)
        if length >= 126:
            length = int.from_bytes(self.read(2 if length == 126 else 8))
        return self.read(length)

    def read(self, count: int) -> bytes:
        """So many bytes, no fewer."""
        received = self._file.read(count)
        if len(received) < count:
            raise EOFError(f"closed after {len(received)} of {count} bytes")
        return received

    def is_closed(self) -> bool:
        """Whether the server closes the connection, having sent nothing more."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True


class _KeptOpen:
    """A file that a response may close without ending the connection."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def close(self) -> None:
        pass


def compose(
    target: str = "/probe/",
    headers: Headers = (),
    *,
    method: str = "GET",
    version: str = "HTTP/1.1",
    host: str = "localhost",
    body: bytes = b"",
) -> bytes:
    """A request, byte for byte; ``headers`` follow Host in the given order."""
    lines = [f"{method} {target} {version}"]
    lines += [f"{name}: {value}" for name, value in (("Host", host), *headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def upgrade(value: str) -> Headers:
    """A handshake but for the value of Upgrade."""
    return (("Connection", "Upgrade"), ("Upgrade", value), *SEC)


def connect(value: str) -> Headers:
    """A handshake but for the value of Connection."""
    return (("Connection", value), ("Upgrade", "websocket"), *SEC)


def client_frame(payload: bytes, opcode: int = 1) -> bytes:
    """A masked frame of at most 125 bytes; the mask is zero, so the payload stays as it is."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def ask(address: int | Path, request: bytes) -> Response | None:
    """Send one request on a connection of its own."""
    with Connection(address) as connection:
        connection.send(request)
        return connection.response(request.split(b" ", 1)[0].decode("latin-1"))


def get(address: int | Path, target: str, headers: Headers = (), **options) -> Response | None:
    return ask(address, compose(target, headers, **options))


def page_saw(port: int, target: str, headers: Headers = (), **options) -> dict:
    """What the page below /probe/ saw of a request."""
    return get(port, target, headers, **options).json


def socket_saw(port: int, target: str, headers: Headers = (), **options) -> dict:
    """What the socket below /probe/ saw of its handshake."""
    with Connection(port) as connection:
        connection.send(compose(target, (*HANDSHAKE, *headers), **options))
        response = connection.response()
        assert response.status == 101, response
        return json.loads(connection.frame())
