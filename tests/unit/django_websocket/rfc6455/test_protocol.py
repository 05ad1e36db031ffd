import gc
import tracemalloc
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.headers import parse_extension

from django_websocket.rfc6455.compression import negotiate
from django_websocket.rfc6455.protocol import Protocol
from support.frame_streams import LARGEST, by_engine, by_library, large_stream, stream
from support.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_frame,
    deflated,
    frame,
    parse_frames,
)

ROOM = 1 << 30


def feed(protocol, data, room=ROOM):
    messages = []
    protocol.feed(data, messages, room)
    return messages


@contextmanager
def memory():
    """What tells how many bytes have been allocated since and are still kept."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def replies(protocol):
    return parse_frames(b"".join(protocol.replies))


def sole_close(protocol):
    ((opcode, payload),) = replies(protocol)
    assert opcode == CLOSE
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


@pytest.fixture
def protocol():
    return Protocol(max_size=1000, batch=64)


@settings(max_examples=300, deadline=None)
@given(st.randoms())
def test_the_fast_path_and_the_library_agree(random):
    chunks = stream(random)
    expected = by_library(chunks)
    assert by_engine(chunks) == expected
    assert by_engine(chunks, batch=1, room=1) == expected, "with a caller who takes them singly"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 64))
def test_large_payloads_are_read_as_the_library_reads_them(seed):
    chunks = large_stream(Random(seed))
    expected = by_library(chunks, LARGEST)
    assert by_engine(chunks, max_size=LARGEST) == expected
    assert by_engine(chunks, batch=1, room=1, max_size=LARGEST) == expected


def test_a_large_text_that_is_invalid_says_where():
    protocol = Protocol(max_size=LARGEST, batch=64)
    data = frame(TEXT, b"x" * 160_000 + b"\xff" + b"x" * 10_000)
    assert feed(protocol, data[:150_000]) == []
    assert feed(protocol, data[150_000:]) == []
    assert sole_close(protocol) == (1007, "invalid start byte at position 160000")


def test_what_has_come_of_a_large_payload_goes_with_the_connection():
    with memory() as kept:
        protocol = Protocol(max_size=LARGEST, batch=64)
        feed(protocol, frame(BINARY, b"x" * 190_000)[:-1])
        assert kept() > 180_000
        protocol.feed_eof()
        assert kept() < 20_000
    assert protocol.close_code == 1006


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_large_frame_is_cut_in_its_header(cut):
    protocol, data = Protocol(max_size=LARGEST, batch=64), frame(BINARY, b"x" * 190_000)
    assert feed(protocol, data[:cut]) == []
    assert feed(protocol, data[cut:]) == [b"x" * 190_000]


def test_while_we_close_a_large_text_still_arrives():
    protocol = Protocol(max_size=LARGEST, batch=64)
    data = frame(TEXT, "x" * 190_000)
    feed(protocol, data[:150_000])
    protocol.close(1012)
    assert feed(protocol, data[150_000:] + close_frame(1012)) == ["x" * 190_000]
    assert protocol.finished


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY, b"x"),
        frame(TEXT, "x" * 11),
        frame(TEXT, b"\xff"),
        frame(TEXT, "x", fin=False),
        frame(TEXT, "x", key=None),
        frame(TEXT, "x") + frame(TEXT, "y"),
        frame(TEXT, "x")[:-1],
        frame(TEXT, "x" * 200)[:7],
        frame(TEXT, "x" * 200)[:-1],
        frame(TEXT, "x" * 70_000)[:13],
        frame(TEXT, "x" * 70_000) + b"x",
        b"",
    ],
)
def test_what_is_not_one_whole_text_is_left_to_feed(data):
    max_size = 10 if len(data) < 100 else 100_000
    assert Protocol(max_size, batch=64).read_whole(data) is None


def test_a_text_between_two_fragments_is_left_to_feed(protocol):
    feed(protocol, frame(TEXT, "a", fin=False))
    assert protocol.read_whole(frame(TEXT, "b")) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 32_767, 65_535, 65_536, 100_000])
def test_one_whole_text_is_read_at_once(size):
    text = "é" * (size // 2) + "x" * (size % 2)
    assert Protocol(max_size=size, batch=64).read_whole(frame(TEXT, text)) == text
    assert Protocol(max_size=size - 1, batch=64).read_whole(frame(TEXT, text)) is None


def test_messages_of_one_packet_come_in_order(protocol):
    data = frame(TEXT, "één") + frame(BINARY, b"\x00\xff") + frame(TEXT, "") + frame(BINARY, b"")
    assert feed(protocol, data) == ["één", b"\x00\xff", "", b""]
    assert not protocol.replies


def test_bytes_arrive_one_by_one(protocol):
    data = frame(TEXT, "x" * 200) + frame(PING, b"?") + frame(BINARY, b"y")
    messages = [message for byte in data for message in feed(protocol, bytes([byte]))]
    assert messages == ["x" * 200, b"y"]
    assert replies(protocol) == [(PONG, b"?")]


def test_pings_between_fragments(protocol):
    data = (
        frame(TEXT, "a", fin=False)
        + frame(PING, b"1")
        + frame(CONTINUATION, "b", fin=False)
        + frame(PING, b"2")
        + frame(CONTINUATION, "c")
        + frame(TEXT, "next")
    )
    assert feed(protocol, data) == ["abc", "next"]
    assert replies(protocol) == [(PONG, b"1"), (PONG, b"2")]


def test_a_ping_between_fragments_does_not_count_towards_the_message(protocol):
    data = frame(BINARY, b"x" * 1000, fin=False) + frame(PING, b"?" * 125)
    assert feed(protocol, data + frame(CONTINUATION)) == [b"x" * 1000]
    assert replies(protocol) == [(PONG, b"?" * 125)]


def test_a_caller_with_little_room_gets_the_rest_later():
    protocol = Protocol(max_size=1000, batch=2)
    data = b"".join(frame(TEXT, str(number)) for number in range(5))
    assert feed(protocol, data) == ["0", "1"]
    assert protocol.backlog
    assert feed(protocol, b"") == ["2", "3"]
    assert feed(protocol, b"") == ["4"]
    assert not protocol.backlog


def test_room_counts_bytes_after_decompression():
    _, extension = negotiate(parse_extension("permessage-deflate"))
    protocol = Protocol(1000, 64, extension)
    stream = frame(BINARY, deflated(b"x" * 900), rsv=4) * 10
    assert feed(protocol, stream, room=1000) == [b"x" * 900] * 2
    assert protocol.backlog


def test_a_mixed_stream_of_compressed_and_plain_messages():
    _, extension = negotiate(parse_extension("permessage-deflate"))
    protocol = Protocol(1000, 64, extension)
    packed = deflated("häuser".encode())
    half = len(packed) // 2
    stream = (
        frame(TEXT, "plain")
        + frame(TEXT, packed, rsv=4)
        + frame(TEXT, packed[:half], rsv=4, fin=False)
        + frame(CONTINUATION, packed[half:])
        + frame(TEXT, "plain")
    )
    assert feed(protocol, stream) == ["plain", "häuser", "häuser", "plain"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, "x", key=None), 1002),
        (frame(0x3), 1002),
        (frame(TEXT, "x", rsv=4), 1002),
        (frame(CONTINUATION, "x"), 1002),
        (frame(TEXT, "x", fin=False) + frame(TEXT, "x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, fin=False), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (close_frame(1005), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xce", fin=False) + frame(CONTINUATION, b"x"), 1007),
        (frame(TEXT, b"\xce"), 1007),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(BINARY, length=1001), 1009),
        (frame(BINARY, b"x" * 600, fin=False) + frame(CONTINUATION, length=401), 1009),
        (frame(PING, length=1 << 62), 1009),
    ],
)
def test_what_breaks_a_rule_fails_the_connection(protocol, data, code):
    assert feed(protocol, frame(TEXT, "before") + data + frame(TEXT, "after")) == ["before"]
    assert sole_close(protocol)[0] == protocol.close_code == code
    assert protocol.finished
    assert feed(protocol, frame(TEXT, "later")) == []


def test_wrong_text_is_found_in_the_fragment_that_brings_it(protocol):
    feed(protocol, frame(TEXT, b"ok\xff", fin=False))
    assert protocol.close_code == 1007


def test_a_refused_size_is_refused_before_it_is_buffered(protocol):
    header = frame(BINARY, length=1 << 40)
    feed(protocol, header)
    assert protocol.close_code == 1009
    with memory() as kept:
        for _ in range(100):
            feed(protocol, b"x" * 65536)
        assert kept() < 100_000


def test_a_long_tail_of_empty_fragments_costs_nothing(protocol):
    feed(protocol, frame(BINARY, fin=False))
    with memory() as kept:
        for _ in range(1000):
            feed(protocol, frame(CONTINUATION, fin=False))
        assert kept() < 20_000


@pytest.mark.parametrize(
    "data",
    [
        frame(PING, b"x" * 125),
        frame(BINARY, b"x" * 50_000, fin=False) + frame(CONTINUATION, b"x" * 50_000),
        frame(BINARY, deflated(b"x" * 100_000), rsv=4),
        frame(BINARY, b"x" * 50_000, fin=False) + close_frame(1000),
        frame(BINARY, b"x" * 50_000, fin=False) + frame(BINARY, b"x" * 50_000),
        frame(TEXT, b"x" * 50_000 + b"\xff", fin=False),
    ],
)
def test_no_memory_waits_for_the_garbage_collector(data):
    _, extension = negotiate(parse_extension("permessage-deflate"))
    gc.disable()
    try:
        with memory() as kept:
            for _ in range(100):
                feed(Protocol(100_000, 64, extension), data)
            assert kept() < 20_000
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "beginning",
    [frame(BINARY, b"x" * 50_000)[:-1], frame(BINARY, b"x" * 50_000, fin=False)],
)
def test_a_connection_that_has_ended_keeps_no_beginning_of_a_message(beginning):
    protocol = Protocol(100_000, 64)
    with memory() as kept:
        feed(protocol, beginning)
        assert kept() > 50_000
        protocol.feed_eof()
        assert kept() < 5_000


def test_the_peer_closes(protocol):
    messages = feed(protocol, frame(TEXT, "last") + close_frame(4001, "gone") + frame(TEXT, "x"))
    assert messages == ["last"]
    assert sole_close(protocol) == (4001, "gone")
    assert (protocol.close_code, protocol.close_reason) == (4001, "gone")
    assert protocol.closing
    assert protocol.finished


def test_the_peer_closes_within_a_message(protocol):
    assert feed(protocol, frame(TEXT, "never", fin=False) + close_frame(1001)) == []
    assert sole_close(protocol) == (1001, "")
    assert protocol.close_code == 1001


def test_the_peer_closes_without_a_code(protocol):
    feed(protocol, frame(CLOSE))
    assert replies(protocol) == [(CLOSE, b"")]
    assert protocol.close_code == 1005


def test_we_close(protocol):
    protocol.close(4401, "who?")
    assert sole_close(protocol) == (4401, "who?")
    assert protocol.closing
    assert not protocol.finished
    assert feed(protocol, frame(TEXT, "on its way")) == ["on its way"]
    protocol.close(1000)
    assert not protocol.peer_is_done
    feed(protocol, close_frame(4401))
    assert protocol.peer_is_done
    assert len(protocol.replies) == 1, "a second close frame"
    assert protocol.finished
    assert protocol.close_code == 4401


def test_both_close_at_once(protocol):
    protocol.close(1000)
    feed(protocol, close_frame(4000))
    assert protocol.finished
    assert protocol.close_code == 1000, "the first close frame of the two"


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000])
def test_a_code_that_must_not_be_sent(protocol, code):
    with pytest.raises(ValueError, match=f"found {code}"):
        protocol.close(code)
    assert not protocol.closing


def test_a_reason_that_does_not_fit(protocol):
    protocol.close(1000, "x" * 123)
    with pytest.raises(ValueError, match="at most 123 bytes"):
        Protocol(1000, 64).close(1000, "ä" * 62)


@pytest.mark.parametrize("start", [b"", frame(TEXT, "x", fin=False), frame(TEXT, "xyz")[:-1]])
def test_a_connection_that_breaks(protocol, start):
    feed(protocol, start)
    protocol.feed_eof()
    assert protocol.finished
    assert protocol.close_code == 1006
    assert not protocol.replies
    protocol.feed_eof()


def test_an_end_without_an_answer_to_our_close_keeps_our_code(protocol):
    protocol.close(1012)
    protocol.feed_eof()
    assert protocol.close_code == 1012
