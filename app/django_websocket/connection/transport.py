"""Reading and writing a gevent socket without waiting."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["TLS", "Transport", "nonblocking"]


class Transport(Protocol):
    """Raises ``BlockingIOError`` where a gevent socket's own methods would wait, and ``OSError``
    when the connection is lost. ``recv`` returns no bytes at the end of the stream.
    """

    def recv(self, size: int, /) -> bytes:
        """At most ``size`` bytes; no bytes at the end. Raises ``BlockingIOError``."""

    def send(self, data: bytes | memoryview, /) -> int:
        """Send what fits; returns its length. Raises ``BlockingIOError`` for none."""

    def sendmsg(self, parts: Sequence[bytes], /) -> int:
        """As :meth:`send`, for several parts."""

    def shutdown(self, how: int, /) -> None:
        """End a direction, as ``socket.shutdown()``."""


def nonblocking(sock: Any) -> Transport:
    """The transport of a gevent socket, with or without TLS.

    gevent has no public name for what is beneath its sockets (``_sock``, ``_sslobj``).
    """
    # gevent's class is not the standard library's, and looking up a missing attribute is slow.
    if hasattr(type(sock), "do_handshake"):
        return TLS(sock)
    # The socket beneath gevent's: it never blocks, and calling it costs no Python frame.
    transport: Transport = sock._sock
    return transport


class TLS:
    """The beginning of the bytes that it did not take may be encrypted already.

    The next call has to start with the same bytes (SSL_write(3): "the operation must be
    repeated with the same parameters"), or the peer gets data that nobody meant to send.
    """

    __slots__ = ("_layer", "_raw")

    #: How many of the remaining bytes may be encrypted: one record (RFC 8446 section 5.1).
    BEGUN = 16384

    def __init__(self, sock: Any) -> None:
        self._layer = sock._sslobj
        self._raw = sock._sock

    def recv(self, size: int) -> bytes:
        """At most ``size`` decrypted bytes; none at the end. Raises ``BlockingIOError``."""
        try:
            return bytes(self._layer.read(size))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def send(self, data: bytes | memoryview) -> int:
        """Encrypt and send; returns how many bytes are out. Raises ``BlockingIOError`` for none."""
        # Record by record: a refused call for several does not say how many of them are out.
        view, sent = memoryview(data), 0
        try:
            while sent < len(view):
                sent += self._layer.write(view[sent : sent + self.BEGUN])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not sent:
                raise BlockingIOError from None
        return sent

    def sendmsg(self, parts: Sequence[bytes]) -> int:
        """The same for several parts, joined."""
        return self.send(b"".join(parts))

    def shutdown(self, how: int) -> None:
        """Signal the end of the stream with close_notify (RFC 8446 section 6.1)."""
        try:
            self._layer.shutdown()
        except ssl.SSLWantWriteError:
            raise BlockingIOError from None
        except ssl.SSLError:
            pass  # it is out, and the peer's own has not come, or other data has
        self._raw.shutdown(how)
