"""A line for each kind of message. Outages: commands/test_websockets.py."""

import pytest

from django_websocket.management.tail import line, shown
from django_websocket.pubsub import Message
from django_websocket.pubsub.message import CLEARED, make_id, pack, retraction

ID = make_id(1767225600000, 7)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (pack({"text": "one\nline"}), '{"text":"one\\nline"}'),
        (pack(b"\x00\xff"), "(2 bytes: 00ff)"),
        (pack(bytes(40)), f"(40 bytes: {'00' * 32}…)"),
        (None, "(gap: the history no longer has the messages up to this id)"),
        (CLEARED, "(the history was cleared)"),
        (retraction(make_id(1, 2)), "(took back 0000000000001-000002)"),
        # What would clear the screen, and turn the rest of the line around.
        (pack("\x9b2J\u202e"), '"\\u009b2J\\u202e"'),
        (pack("سلام 👩\u200d🚀"), '"سلام 👩\u200d🚀"'),
    ],
)
def test_a_message_is_a_line(payload, expected):
    assert line(Message("room", ID, payload)) == f"{ID} room {expected}"


def test_a_name_cannot_use_the_terminal():
    assert shown("a\x1b[31mb") == "a\\u001b[31mb"
