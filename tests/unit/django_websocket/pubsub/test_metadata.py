import json

import pytest

from django_websocket.pubsub import presence, presence_channel, publish, subscribe
from django_websocket.pubsub.message import Message, encode_presence, pack
from django_websocket.pubsub.metadata import MAX_LENGTH, entry_of, name_of
from django_websocket.pubsub.process import get_dispatcher
from support.server import PATIENCE


@pytest.mark.parametrize("meta", [None, {}])
def test_without_metadata_an_entry_is_the_name(meta):
    assert entry_of("Ada", meta) == "Ada" == name_of("Ada")


def test_the_same_metadata_are_the_same_entry():
    entry = entry_of("Ada", {"a": 1, "b": 2})
    assert entry == entry_of("Ada", {"b": 2, "a": 1})
    assert name_of(entry) == "Ada"


@pytest.mark.parametrize(
    ("meta", "error"),
    [
        ([], TypeError),
        ("away", TypeError),
        ({"a": object()}, TypeError),
        ({"a": float("nan")}, ValueError),
        ({"a": "x" * MAX_LENGTH}, ValueError),
    ],
)
def test_what_is_no_metadata_is_said(meta, error):
    with pytest.raises(error):
        entry_of("Ada", meta)


def test_presence_counts_a_user_once_whatever_the_metadata(settings):
    settings.WEBSOCKET_BROKER = "memory://"
    announcer = get_dispatcher().announcer
    entries = ["Ada", entry_of("Ada", {"away": True}), entry_of("Grace", {"x": "\x1f"})]
    with subscribe(presence_channel("counted")) as changes:
        for entry in entries:
            announcer.enter("counted", entry)
        found = [changes.receive(PATIENCE).data["joined"] for _ in entries]
    assert found[1:] == [
        [{"name": "Ada", "meta": {"away": True}}],
        [{"name": "Grace", "meta": {"x": "\x1f"}}],
    ]
    assert presence("counted") == {"Ada": 2, "Grace": 1}
    for entry in entries:
        announcer.leave("counted", entry)


def test_what_is_published_keeps_its_control_characters(settings):
    settings.WEBSOCKET_BROKER = "memory://"
    publish("plain", {"present": ["a\x1f1"]})
    with subscribe("plain", since="0") as messages:
        assert messages.receive(PATIENCE).data == {"present": ["a\x1f1"]}


def test_a_list_without_metadata_is_passed_on_as_it_is():
    message = Message(presence_channel("room"), "0" * 20, pack({"present": ["Ada"]}))
    assert json.loads(encode_presence(message)) == {"channel": "room", "present": ["Ada"]}
