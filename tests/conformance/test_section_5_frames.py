"""RFC 6455 section 5: masking, fragmentation, control frames."""

import time

import pytest

from support.frames import BINARY, CONTINUATION, PING, PONG, TEXT, close_frame, frame
from support.raw_client import RawClient, handshake


def echoed(client):
    opcode, payload = client.receive()
    assert opcode in (TEXT, BINARY)
    return payload


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, 0x8, CONTINUATION])
def test_an_unmasked_frame_fails_the_connection(client, opcode):
    client.open("/echo", behind=frame(TEXT, "before"))
    assert echoed(client) == b"before"
    client.send(frame(opcode, b"", key=None), frame(TEXT, "after"))
    assert client.receive_close() == (1002, "incorrect masking")
    assert client.read_rest() == b""


@pytest.mark.parametrize("key", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 125, 126, 127, 32767, 32768, 65535, 65536])
def test_every_length_and_key(client, key, length):
    payload = bytes(number % 251 for number in range(length))
    client.open("/echo").send(frame(BINARY, payload, key=key))
    assert client.receive() == (BINARY, payload)


def test_frames_in_the_packet_of_the_handshake(client):
    frames = frame(TEXT, "a") + frame(PING, "?") + frame(TEXT, "b", fin=False)
    client.open("/echo", behind=frames)
    client.send(frame(CONTINUATION, "c"))
    received = [client.receive() for _ in range(3)]
    assert received.index((TEXT, b"a")) < received.index((TEXT, b"bc"))
    assert (PONG, b"?") in received


def test_everything_byte_by_byte(client):
    stream = (
        handshake("/echo")
        + frame(TEXT, "häuser" * 30)
        + frame(PING, b"?" * 125)
        + frame(BINARY, b"\xff", fin=False)
        + frame(PONG)
        + frame(CONTINUATION, b"\xfe")
    )
    for byte in stream:
        client.send(bytes([byte]))
    assert client.read_head()[0] == 101
    received = [client.receive() for _ in range(3)]
    assert set(received) == {
        (TEXT, ("häuser" * 30).encode()),
        (PONG, b"?" * 125),  # may overtake the view's echo
        (BINARY, b"\xff\xfe"),
    }
    for byte in close_frame(1000, "ok"):
        client.send(bytes([byte]))
    assert client.receive_close() == (1000, "ok")


def test_pings_between_fragments_are_answered_at_once(client):
    client.open("/echo").send(frame(TEXT, "a", fin=False), frame(PING, "1"))
    assert client.receive() == (PONG, b"1"), "before the message is complete"
    client.send(frame(CONTINUATION, "b", fin=False), frame(PING, "2"))
    assert client.receive() == (PONG, b"2")
    client.send(frame(CONTINUATION, "c"))
    assert echoed(client) == b"abc"


def test_many_messages_in_one_packet_keep_their_order(client):
    client.open("/echo").send(*[frame(TEXT, str(number)) for number in range(5000)])
    assert [int(echoed(client)) for _ in range(5000)] == list(range(5000))


def test_senders_do_not_mix_their_frames_for_a_slow_reader(engine):
    with RawClient(engine.address, receive_buffer=4096) as client:
        client.open("/senders")
        messages = []
        for number in range(120):
            messages.append(echoed(client))
            if number < 10:
                time.sleep(0.02)  # let every buffer on the way fill up
        assert sorted(messages) == sorted([bytes([byte]) * 40_000 for byte in b"abcdef"] * 20)
        assert client.receive_close() == (1000, "")


def test_a_slow_reader_costs_others_nothing(engine):
    with RawClient(engine.address, receive_buffer=4096) as slow, RawClient(engine.address) as other:
        slow.open("/senders")
        other.open("/echo")
        waits = []
        for _ in range(50):
            start = time.monotonic()
            other.send(frame(TEXT, "x"))
            assert echoed(other) == b"x"
            waits.append(time.monotonic() - start)
        assert sorted(waits)[25] < 0.2
