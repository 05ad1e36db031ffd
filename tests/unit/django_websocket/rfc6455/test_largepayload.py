import tracemalloc

import pytest

from django_websocket.rfc6455.largepayload import LargePayload
from support.frames import KEY, xor

PIECE = 32_768


def payload(data, size, *, is_text=True):
    """``data``, having come in pieces of ``size`` bytes."""
    masked = xor(data)
    large = LargePayload(len(data), KEY, is_text=is_text)
    for start in range(0, len(data), size):
        assert large.missing == len(data) - start
        large.add(masked[start : start + size])
    assert large.missing == 0
    return large


@pytest.mark.parametrize("size", [1, 7, PIECE - 1, PIECE, PIECE + 1, 10**6])
@pytest.mark.parametrize("text", ["x", "é", "€", "🎈", "x" * 40_000 + "é" + "x" * 9_998])
def test_the_message_is_the_same_however_it_came(text, size):
    data = text.encode() * (100_000 // len(text.encode()))
    assert payload(data, size).message() == data.decode()
    assert payload(data, size, is_text=False).message() == data


@pytest.mark.parametrize("position", [0, PIECE - 1, PIECE, 99_999])
def test_an_invalid_byte_is_found_where_it_is(position):
    data = bytearray(b"x" * 100_000)
    data[position] = 0xFF
    with pytest.raises(UnicodeDecodeError) as caught:
        payload(bytes(data), PIECE).message()
    assert caught.value.start == position


def test_single_bytes_cost_no_object_each():
    masked = xor(b"x" * 100_000)
    large = LargePayload(len(masked), KEY, is_text=True)
    tracemalloc.start()
    try:
        for byte in masked[:-1]:
            large.add(bytes([byte]))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 120_000
