import datetime
import decimal
import json

import pytest
from django.utils.translation import gettext_lazy

from django_websocket.pubsub.message import (
    ZERO,
    Message,
    check_channel,
    check_name,
    check_subscription,
    encode,
    is_id,
    make_id,
    pack,
    presence_channel,
    presence_of,
)

ID = make_id(1767225600000, 7)


def message(value):
    return Message("room", ID, pack(value))


@pytest.mark.parametrize(
    "value", ["text", "", "Grüße 🙂", 7, 1.5, None, True, ["a", {"b": 1}], b"", bytes(range(256))]
)
def test_data_comes_back_as_it_was(value):
    assert message(value).data == value


def test_json_is_written_as_django_writes_it():
    value = {
        "when": datetime.date(2026, 1, 2),
        "price": decimal.Decimal("1.50"),
        "title": gettext_lazy("Hello"),
    }
    assert message(value).data == {"when": "2026-01-02", "price": "1.50", "title": "Hello"}


@pytest.mark.parametrize("value", [object(), {1, 2}])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(TypeError):
        pack(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_a_browser_cannot_read_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        pack(value)


def test_a_client_gets_id_channel_and_data():
    text = encode(message({"text": "Grüße"}))
    assert json.loads(text) == {"id": ID, "channel": "room", "data": {"text": "Grüße"}}
    quoted = Message('"room"', ID, pack("x"))
    assert json.loads(encode(quoted))["channel"] == '"room"'


def test_a_client_gets_bytes_as_they_are():
    assert encode(message(b"\x00\xff")) == b"\x00\xff"
    with pytest.raises(ValueError, match="bytes"):
        message(b"\x00").json  # noqa: B018


def test_a_client_is_told_of_a_gap():
    gap = Message("room", ID, None)
    assert gap.gap
    assert gap.data is None
    assert json.loads(encode(gap)) == {"id": ID, "channel": "room", "gap": True}


def test_ids_sort_as_text():
    ids = [ZERO, *(make_id(ms, n) for ms in (5, 1767225600000) for n in (0, 9, 10, 999_999))]
    assert ids == sorted(ids)
    assert all(map(is_id, ids))
    assert not any(map(is_id, ["", "0", "1767225600000-7", ID + "\n", "x" * 20]))


@pytest.mark.parametrize("name", ["room", "chat.lobby:1", "räume/π", "n" * 200, "*?[a]"])
def test_names_of_channels(name):
    check_channel(name)


@pytest.mark.parametrize("name", ["", "two words", "a{b}", "tab\t", "line\n", "\x00", "n" * 201])
def test_a_wrong_name_is_named(name):
    with pytest.raises(ValueError, match="expected a channel's name") as caught:
        check_channel(name)
    assert repr(name) in str(caught.value)


def test_a_name_is_text():
    with pytest.raises(TypeError, match="found int"):
        check_channel(7)


def test_a_channel_s_comings_and_goings_have_a_channel_of_their_own():
    name = presence_channel("chat.lobby")
    assert presence_of(name) == "chat.lobby"
    assert presence_of("chat.lobby") is presence_of(f"{{{name}}}:presence") is None
    check_subscription(name)
    check_subscription("chat.lobby")
    with pytest.raises(ValueError, match="channel's name"):
        check_channel(name)  # nobody else publishes to it
    with pytest.raises(ValueError, match="channel's name"):
        presence_channel(name)


@pytest.mark.parametrize("name", ["Ada", "x" * 200, "räume π 🙂", " ", "{a}/b"])
def test_someone_may_be_called(name):
    check_name(name)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "\x00", "\x7f", "\ud800"])
def test_nobody_is_called(name):
    with pytest.raises(ValueError, match="expected a name of 1 to 200 characters"):
        check_name(name)


@pytest.mark.parametrize("name", [None, 7, b"Ada"])
def test_someone_s_name_is_text(name):
    with pytest.raises(TypeError, match="expected a name as str"):
        check_name(name)
