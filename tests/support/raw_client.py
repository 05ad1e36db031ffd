"""A client that writes bytes as the test says, and reads what comes: no library stands between."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType

from .frames import read_frame
from .server import PATIENCE

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\n"
    "Host: testserver\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "{more}\r\n"
)


def handshake(path: str, more: str = "") -> bytes:
    return HANDSHAKE.format(path=path, more=more).encode("latin-1")


class RawClient:
    """Connected to (host, port) or to the path of a unix socket; waits for at most ``PATIENCE``.

    With ``tls``, encrypted.
    """

    def __init__(
        self,
        address: tuple[str, int] | str,
        *,
        receive_buffer: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(PATIENCE)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.sock.connect(address)
            if tls is not None:
                self.sock = tls.wrap_socket(self.sock, server_hostname="testserver")
        except OSError:
            self.sock.close()
            raise
        self._stream = self.sock.makefile("rb")

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self.sock.close()

    def send(self, *pieces: bytes) -> None:
        self.sock.sendall(b"".join(pieces))

    def read_exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def read_head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers (names in lower case) of an HTTP response."""
        status = int(self._stream.readline().split()[1])
        headers = {}
        while (line := self._stream.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def open(self, path: str, more: str = "", behind: bytes = b"") -> RawClient:
        """Send a handshake, and ``behind`` in the same packet; expect 101."""
        self.send(handshake(path, more) + behind)
        status, _ = self.read_head()
        assert status == 101, f"the handshake was answered with {status}"
        return self

    def receive(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload. Raises ``EOFError``."""
        opcode, payload, _ = read_frame(self.read_exactly)
        return opcode, payload

    def receive_close(self) -> tuple[int | None, str]:
        """Expect a close frame: its code and reason."""
        opcode, payload = self.receive()
        assert opcode == 0x8, f"expected a close frame, found opcode {opcode}: {payload[:50]!r}"
        code = int.from_bytes(payload[:2], "big") if payload else None
        return code, payload[2:].decode()

    def read_rest(self) -> bytes:
        """What comes before the end of the stream."""
        return self._stream.read()
