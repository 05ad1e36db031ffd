"""Reading and writing a gevent socket without waiting."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Transport", "nonblocking"]


class Transport(Protocol):
    """Raises ``BlockingIOError`` where a gevent socket's own methods would wait, and ``OSError``
    when the connection is lost. ``recv`` returns nothing at the end of the stream.
    """

    def recv(self, size: int, /) -> bytes: ...

    def send(self, data: bytes | memoryview, /) -> int: ...

    def sendmsg(self, parts: Sequence[bytes], /) -> int: ...


def nonblocking(sock: Any) -> Transport:
    """The transport of a gevent socket, with or without TLS."""
    # gevent's class is not the standard library's, and is slow to say what an object lacks.
    if hasattr(type(sock), "do_handshake"):
        return _TLS(sock)
    # The socket beneath gevent's: it never blocks, and calling it costs no Python frame.
    transport: Transport = sock._sock
    return transport


class _TLS:
    __slots__ = ("_layer",)

    def __init__(self, sock: Any) -> None:
        self._layer = sock._sslobj

    def recv(self, size: int) -> bytes:
        try:
            return bytes(self._layer.read(size))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def send(self, data: bytes | memoryview) -> int:
        try:
            return int(self._layer.write(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def sendmsg(self, parts: Sequence[bytes]) -> int:
        return self.send(b"".join(parts))
