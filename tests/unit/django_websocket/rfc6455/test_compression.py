import zlib

import pytest
from websockets.headers import parse_extension

from django_websocket.rfc6455.compression import WINDOW_BITS, compressed_frame, negotiate
from django_websocket.rfc6455.frames import TEXT
from support.frames import parse_frames


def inflate(payload, window_bits):
    return zlib.decompressobj(wbits=-window_bits).decompress(payload + b"\x00\x00\xff\xff")


@pytest.mark.parametrize("bits", [9, WINDOW_BITS])
def test_a_compressed_frame_stands_for_itself(bits):
    text = b"the same words again and again " * 400
    first, second = (compressed_frame(TEXT, text, bits) for _ in range(2))
    assert first == second, "a frame depends on the one before it"
    assert first[0] == 0xC1, "FIN, RSV1, text"
    ((_, payload),) = parse_frames(first)
    assert len(payload) < len(text) / 10
    assert inflate(payload, bits) == text


def test_no_window_is_kept():
    value, extension = negotiate(parse_extension("permessage-deflate; client_max_window_bits"))
    assert value == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        f"server_max_window_bits={WINDOW_BITS}; client_max_window_bits={WINDOW_BITS}"
    )
    assert extension.local_no_context_takeover
    assert extension.remote_no_context_takeover


def test_a_smaller_window_is_granted():
    _, extension = negotiate(parse_extension("permessage-deflate; server_max_window_bits=9"))
    assert extension.local_max_window_bits == 9


def test_an_offer_that_cannot_be_met_is_skipped():
    offers = parse_extension("permessage-deflate; server_max_window_bits=8, permessage-deflate")
    assert negotiate(offers) is not None
    assert negotiate(offers[:1]) is None
    assert negotiate(parse_extension("x-webkit-deflate-frame")) is None
    assert negotiate([]) is None
