"""Reading and writing a gevent socket without waiting."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

__all__ = ["Read", "Write", "nonblocking"]

Read = Callable[[int], bytes]
Write = Callable[[bytes | memoryview], int]


def nonblocking(sock: Any) -> tuple[Read, Write]:
    """``read`` and ``write`` for a gevent socket, with or without TLS.

    Both raise ``BlockingIOError`` where a gevent socket's own methods would wait, and ``OSError``
    when the connection is lost. ``read`` returns nothing at the end of the stream.
    """
    if isinstance(sock, ssl.SSLSocket):
        return _tls(sock)
    # The socket beneath gevent's: it never blocks, and calling it costs no Python frame.
    plain = sock._sock
    return plain.recv, plain.send


def _tls(sock: ssl.SSLSocket) -> tuple[Read, Write]:
    layer = sock._sslobj  # type: ignore[attr-defined]

    def read(size: int) -> bytes:
        try:
            return bytes(layer.read(size))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(data: bytes | memoryview) -> int:
        try:
            return int(layer.write(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    return read, write
