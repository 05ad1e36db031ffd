"""RFC 6455 section 7: close codes and reasons on the wire."""

import pytest

from support.frames import CLOSE, TEXT, close_frame, frame


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1014, 3000, 4401, 4999])
def test_a_clients_close_is_echoed(client, code):
    client.open("/echo").send(close_frame(code, "bye bye"))
    assert client.receive_close() == (code, "bye bye")
    assert client.read_rest() == b"", "the server closes first"


def test_a_close_frame_without_a_code_is_echoed_without_one(client):
    client.open("/echo").send(frame(CLOSE))
    assert client.receive_close() == (None, "")


@pytest.mark.parametrize(
    "payload", [b"\x03", b"\x03\xe8\xff", b"\x03\xee", b"\x00\x00", b"\xff\xff"]
)
def test_a_malformed_close_frame_is_told_so(client, payload):
    client.open("/echo").send(frame(CLOSE, payload))
    code, reason = client.receive_close()
    assert code == (1007 if payload == b"\x03\xe8\xff" else 1002)
    assert reason


@pytest.mark.parametrize(("query", "expected"), [("4403,no", (4403, "no")), ("1000,", (1000, ""))])
def test_the_views_code_and_reason(client, query, expected):
    client.open(f"/closes?{query}")
    assert client.receive_close() == expected
    client.send(close_frame(expected[0]))
    assert client.read_rest() == b""


def test_nothing_follows_a_close_frame(client):
    client.open("/echo").send(frame(TEXT, "a"), close_frame(1000), frame(TEXT, "b") * 100)
    received = [client.receive()]
    if received[-1][0] == TEXT:
        received.append(client.receive())
    assert received[-1] == (CLOSE, b"\x03\xe8")
    assert client.read_rest() == b""


def test_a_close_within_a_message_gives_it_up(client):
    client.open("/echo").send(frame(TEXT, "never", fin=False), close_frame(1001))
    assert client.receive_close() == (1001, "")
