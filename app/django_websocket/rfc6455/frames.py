"""Outgoing frames (RFC 6455 section 5.2), encoded in place. ``protocol.py`` parses incoming ones.

A server neither masks nor needs to fragment what it sends, so a message is one header and its
payload. What the header says depends on the opcode and the length alone.
"""

from __future__ import annotations

from struct import pack

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PING_FRAME",
    "PONG",
    "SHORT_TEXT_HEADERS",
    "TEXT",
    "encode_frame",
    "encode_header",
]

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_FIN = 0x80

#: The headers of short frames, by opcode and by length: most frames are short.
_SHORT_HEADERS = {
    opcode: tuple(bytes((_FIN | opcode, length)) for length in range(126))
    for opcode in (TEXT, BINARY, CLOSE, PING, PONG)
}


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """One whole, unmasked, uncompressed frame.

    Raises ``ValueError`` for a control frame with a payload of more than 125 bytes.
    """
    length = len(payload)
    if length < 126:
        return _SHORT_HEADERS[opcode][length] + payload
    return encode_header(opcode, length) + payload


def encode_header(opcode: int, length: int) -> bytes:
    """The header of a payload of ``length`` bytes. Raises ``ValueError`` likewise."""
    if length < 126:
        return _SHORT_HEADERS[opcode][length]
    # RFC 6455 section 5.5: "All control frames MUST have a payload length of 125 bytes or less".
    if opcode >= CLOSE:
        raise ValueError(f"a control frame carries at most 125 bytes, found {length}")
    # RFC 6455 section 5.2: "the minimal number of bytes MUST be used to encode the length".
    if length < 65536:
        return pack("!BBH", _FIN | opcode, 126, length)
    return pack("!BBQ", _FIN | opcode, 127, length)


#: The headers of texts, by their length: 0 to 125 bytes.
SHORT_TEXT_HEADERS = _SHORT_HEADERS[TEXT]

PING_FRAME = encode_frame(PING, b"")
