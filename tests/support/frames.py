"""A client's frames, built and read byte by byte, so that tests can break every rule."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

KEY = bytes.fromhex("37fa213d")


def xor(payload: bytes, key: bytes = KEY) -> bytes:
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def frame(
    opcode: int,
    payload: bytes | str = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes | None = KEY,
    length: int | None = None,
) -> bytes:
    """A frame as a client sends it; ``key=None``: unmasked, ``length``: what the header claims."""
    data = payload.encode() if isinstance(payload, str) else payload
    length = len(data) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask = 0x80 if key is not None else 0
    if length < 126:
        header = struct.pack("!BB", first, mask | length)
    elif length < 65536:
        header = struct.pack("!BBH", first, mask | 126, length)
    else:
        header = struct.pack("!BBQ", first, mask | 127, length)
    return header + data if key is None else header + key + xor(data, key)


def deflated(data: bytes) -> bytes:
    """The payload of a compressed message (RFC 7692 section 7.2.1), with a window of 4 KiB."""
    deflate = zlib.compressobj(9, wbits=-12)
    return (deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def read_frame(read_exactly: Callable[[int], bytes]) -> tuple[int, bytes, int]:
    """The server's next frame: first byte without FIN's meaning lost (opcode, payload, first)."""
    first, second = read_exactly(2)
    assert not second & 0x80, "a server must not mask"
    length = second
    if length == 126:
        (length,) = struct.unpack("!H", read_exactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", read_exactly(8))
    return first & 0x0F, read_exactly(length), first


def parse_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Every whole frame of a server in ``data``, as (opcode, payload)."""
    frames, position = [], 0

    def read_exactly(count: int) -> bytes:
        nonlocal position
        position += count
        assert position <= len(data), "a frame is cut short"
        return data[position - count : position]

    while position < len(data):
        opcode, payload, _ = read_frame(read_exactly)
        frames.append((opcode, payload))
    return frames
