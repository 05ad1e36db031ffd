"""The payload of a large frame, unmasked and decoded piece by piece while it arrives.

A piece is in the processor's cache then. With the last one, one copy of the message is left to do.
"""

from __future__ import annotations

from .masking import apply_mask

__all__ = ["IN_PIECES", "LargePayload"]

#: From this many bytes on, a payload is better read in pieces.
IN_PIECES = 131072

#: A piece has at least so many bytes: a client that sends single ones does not make us keep an
#: object for each.
_PIECE = 32768


class LargePayload:
    """``length`` bytes of a text or of a binary message, masked with ``key``."""

    __slots__ = ("_is_text", "_key", "_pieces", "_tail", "_texts", "length", "missing")

    def __init__(self, length: int, key: bytes, *, is_text: bool) -> None:
        self.length = length
        #: From the first byte of the next piece on.
        self._key = key
        self._is_text = is_text
        self._texts: list[str] = []
        #: What is not decoded yet: a character may be spread over two pieces.
        self._pieces: list[bytes] = []
        #: Masked bytes, too few for a piece.
        self._tail = bytearray()
        #: How many bytes have not arrived.
        self.missing = length

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """The next bytes, at most ``missing``."""
        self.missing -= len(data)
        if self._tail or len(data) < _PIECE:
            self._tail += data
            if self.missing and len(self._tail) < _PIECE:
                return
            data, self._tail = self._tail, bytearray()
        self._keep(apply_mask(data, self._key))
        offset = len(data) % 4
        self._key = self._key[offset:] + self._key[:offset]

    def _keep(self, piece: bytes) -> None:
        if self._is_text and not self._pieces:
            try:
                self._texts.append(piece.decode("ascii"))
            except UnicodeDecodeError:
                self._pieces.append("".join(self._texts).encode())
                self._texts.clear()
            else:
                return
        self._pieces.append(piece)

    def message(self) -> str | bytes:
        """The whole message. Raises ``UnicodeDecodeError``."""
        if not self._is_text:
            return b"".join(self._pieces)
        return b"".join(self._pieces).decode() if self._pieces else "".join(self._texts)
