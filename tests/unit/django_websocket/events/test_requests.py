import json

import pytest

from django_websocket.events.requests import parse_request


class Socket:
    """What a reply needs of one."""

    def __init__(self):
        self.sent = []

    def send_json(self, value):
        self.sent.append(value)


def message(**fields):
    return json.dumps({"type": "ws.request", "id": "7", "data": {"a": 1}} | fields)


def test_a_request_is_answered_under_its_id():
    socket = Socket()
    request = parse_request(socket, message())
    assert (request.id, request.data) == ("7", {"a": 1})
    request.reply([1, 2])
    request.refuse("That name is taken.", code="taken")
    request.reply()
    assert socket.sent == [
        {"type": "ws.reply", "id": "7", "data": [1, 2]},
        {
            "type": "ws.reply",
            "id": "7",
            "error": {"code": "taken", "message": "That name is taken."},
        },
        {"type": "ws.reply", "id": "7", "data": None},
    ]


@pytest.mark.parametrize(
    "other",
    [
        "hello",
        b"bytes",
        "",
        '"ws.request"',
        '{"type": "ws.request"',
        '{"text": "type \\"ws.request\\" to ask"}',
        message(type="ws.reply"),
        message(id=7),
        message(id=""),
        message(id="x" * 201),
        "[" * 100_000 + '"ws.request"',
    ],
    ids=lambda other: repr(other[:24]),
)
def test_another_message_is_none(other):
    assert parse_request(Socket(), other) is None


def test_keys_in_any_order_and_spaces():
    text = ' { "data": null, "id": "a",  "type" : "ws.request" } '
    assert parse_request(Socket(), text).id == "a"
