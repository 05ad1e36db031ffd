"""RFC 6455 section 10.4: what a client may cost."""

import time
import zlib

import psutil
import pytest

from support.frames import BINARY, CONTINUATION, PING, TEXT, deflated, frame
from support.raw_client import RawClient, handshake
from support.server import wait_for

from .conftest import MAX_SIZE

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
COMPRESSED = 4  # RSV1


def memory(engine):
    (worker,) = wait_for(psutil.Process(engine.pid).children, "a worker")
    return worker.memory_info().rss


def test_the_largest_message_passes(client):
    client.open("/echo").send(frame(BINARY, b"x" * MAX_SIZE))
    assert client.receive() == (BINARY, b"x" * MAX_SIZE)
    client.send(frame(BINARY, b"x" * (MAX_SIZE - 1), fin=False), frame(PING, b"?" * 125))
    assert client.receive()[1] == b"?" * 125
    client.send(frame(CONTINUATION, b"y"))
    assert client.receive()[1] == b"x" * (MAX_SIZE - 1) + b"y"


@pytest.mark.parametrize("claimed", [MAX_SIZE + 1, 1 << 30, (1 << 63) - 1])
def test_a_larger_one_is_refused_by_its_header(client, claimed):
    client.open("/echo").send(frame(BINARY, length=claimed))
    assert client.receive_close()[0] == 1009


def test_what_comes_after_the_refusal_is_not_kept(engine, client):
    client.open("/echo").send(frame(BINARY, length=1 << 40))
    assert client.receive_close()[0] == 1009
    before = memory(engine)
    for _ in range(200):
        client.send(b"x" * 65536)
    assert memory(engine) - before < 4_000_000


def test_fragments_count_together(client):
    client.open("/echo")
    client.send(frame(BINARY, b"x" * 60_000, fin=False), frame(CONTINUATION, length=60_000))
    assert client.receive_close()[0] == 1009


def test_a_compression_bomb(engine, client):
    bomb = deflated(b"\x00" * 80_000_000)
    assert len(bomb) < MAX_SIZE
    before = memory(engine)
    client.open("/echo", DEFLATE).send(frame(BINARY, bomb, rsv=COMPRESSED))
    assert client.receive_close()[0] == 1009
    assert memory(engine) - before < 8_000_000


def test_a_bomb_in_fragments(client):
    bomb = deflated(b"\x00" * (MAX_SIZE + 1))
    client.open("/echo", DEFLATE).send(
        frame(BINARY, bomb[:50], rsv=COMPRESSED, fin=False), frame(CONTINUATION, bomb[50:])
    )
    assert client.receive_close()[0] == 1009


def test_many_small_bombs_in_one_packet(engine, client):
    """Each is allowed, and together they are far more than may wait for a view."""
    bomb = frame(BINARY, deflated(b"\x00" * MAX_SIZE), rsv=COMPRESSED)
    before = memory(engine)
    client.open("/echo", DEFLATE).send(bomb * 300)
    for _ in range(300):
        assert client.receive()[0] == BINARY
    assert memory(engine) - before < 4_000_000


def test_compressed_messages_pass(client):
    text = "the same words again and again " * 100
    client.open("/echo", DEFLATE).send(frame(TEXT, deflated(text.encode()), rsv=COMPRESSED))
    opcode, payload = client.receive()
    assert opcode == TEXT
    inflated = zlib.decompressobj(wbits=-12).decompress(payload + b"\x00\x00\xff\xff")
    assert inflated.decode() == text


def test_a_compressed_frame_without_the_extension(client):
    client.open("/echo").send(frame(TEXT, deflated(b"x"), rsv=COMPRESSED))
    assert client.receive_close()[0] == 1002


def test_a_header_of_16_megabytes(engine, client):
    before = memory(engine)
    client.send(b"GET /echo HTTP/1.1\r\nX: ")
    with pytest.raises(OSError, match=r"reset|Broken pipe"):  # noqa: PT012 - it may fail anywhere
        for _ in range(256):
            client.send(b"y" * 65536)
            time.sleep(0.001)
    assert memory(engine) - before < 4_000_000


@pytest.mark.parametrize("more", ["X: " + "y" * 9000 + "\r\n", "X: y\r\n" * 200])
def test_a_header_that_is_too_large_is_told_so(client, more):
    client.send(handshake("/echo", more))
    assert client.read_head()[0] == 431


def test_a_flood_of_pings_whose_answers_nobody_reads(engine):
    before = memory(engine)
    with RawClient(engine.address, receive_buffer=4096) as client:
        client.open("/echo").sock.settimeout(1)
        with pytest.raises(TimeoutError):  # noqa: PT012 - as soon as every buffer is full
            for _ in range(1000):
                client.send(frame(PING, b"?" * 125) * 1000)
        assert memory(engine) - before < 8_000_000
    with RawClient(engine.address) as other:
        other.open("/echo").send(frame(TEXT, "x"))
        assert other.receive()[1] == b"x"
