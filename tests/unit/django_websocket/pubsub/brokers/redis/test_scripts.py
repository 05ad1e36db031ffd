"""Where things lie in Redis, and the scripts that are shipped."""

from importlib.resources import files

import pytest

from django_websocket.pubsub.brokers.redis import scripts
from django_websocket.pubsub.message import make_id

SCRIPTS = [value for value in vars(scripts).values() if isinstance(value, scripts.Script)]


def test_redis_knows_each_script_by_the_name_that_we_call_it_by(shared_redis):
    for script in SCRIPTS:
        assert shared_redis.call("SCRIPT", "LOAD", script.text) == script.sha
    assert len({script.sha for script in SCRIPTS}) == len(SCRIPTS) == 9


def test_every_file_is_part_of_a_script():
    folder = files(scripts.__package__)
    for file in folder.iterdir():
        if file.name.endswith(".lua"):
            text = file.read_text("utf-8")
            assert any(text in script.text for script in SCRIPTS), file.name


def tag(key):
    """What decides on which node of a cluster a key is."""
    return key.partition("{")[2].partition("}")[0]


@pytest.mark.parametrize("channel", ["room", "chat.lobby", "grüße"])
def test_all_keys_of_a_channel_are_on_one_node(channel):
    found = [*scripts.keys("site", channel), *scripts.presence_keys("site", channel)]
    assert {tag(key) for key in found} == {channel}
    assert len(set(found)) == 7


def test_the_mark_is_no_channels_key():
    assert not tag(scripts.mark_key("site"))


def test_an_id_in_the_stream_has_no_leading_zeros():
    assert scripts.stream_id("0000000000007-000012") == "7-12"


def packed(id_, previous, payload):
    return id_.encode() + previous.encode() + payload


def test_a_message_is_its_id_the_one_before_and_a_payload():
    entry = scripts.unpack(packed(make_id(7, 2), make_id(7, 1), b"j[1]"))
    assert (entry.id, entry.previous, entry.payload) == (make_id(7, 2), make_id(7, 1), b"j[1]")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"hello",
        b"\xff" * 50,
        packed(make_id(7, 1), make_id(7, 2), b"j1"),
        packed(make_id(7, 1), make_id(7, 1), b"j1"),
        make_id(7, 1).encode(),
    ],
)
def test_what_somebody_else_has_published_is_no_message(message):
    assert scripts.unpack(message) is None
