import json

import pytest

from django_websocket.connection import clientprotocol
from support.frames import TEXT
from support.pair import connection


@pytest.mark.parametrize(
    ("query", "spoken"),
    [
        ("wire=1", True),
        ("since=1&wire=1&a=b", True),
        ("", False),
        ("wire=2", False),
        ("wire=10", False),
        ("firewire=1", False),
        ("a=wire=1", False),
    ],
)
def test_a_client_asks_for_it_in_the_url(query, spoken):
    assert clientprotocol.is_spoken({"QUERY_STRING": query}) is spoken


def test_no_query_string_at_all():
    assert not clientprotocol.is_spoken({})


def test_the_frames_are_texts():
    header, text = clientprotocol.heartbeat(40.0)[:2], clientprotocol.heartbeat(40.0)[2:]
    assert header == bytes((0x80 | TEXT, len(text)))
    assert json.loads(text) == {"type": "ws.heartbeat", "within": 40.0}
    frame = clientprotocol.position("caf\u00e9", "1767225600000-000000")
    assert json.loads(frame[2:]) == {
        "type": "ws.position",
        "channel": "caf\u00e9",
        "id": "1767225600000-000000",
    }


@pytest.mark.parametrize("query", ["", "wire=1"])
def test_who_does_not_ask_gets_nothing(query):
    with connection(environ={"QUERY_STRING": query}) as (socket, client):
        socket.accept()
        socket.send("hello")
        first = client.receive()[1]
        assert (b"ws.heartbeat" in first) is bool(query)
