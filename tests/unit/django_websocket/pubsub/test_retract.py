"""What was published is taken back: from the call to the client."""

import json

import pytest
from django.db import transaction

from django_websocket.errors import BrokerError
from django_websocket.pubsub import (
    clear,
    clear_on_commit,
    edit,
    edit_on_commit,
    presence_channel,
    publish,
    retract,
    retract_on_commit,
    subscribe,
)
from django_websocket.pubsub.channel import Channel
from django_websocket.pubsub.fanout import Subscription
from django_websocket.pubsub.message import (
    BEGINNING,
    CLEARED,
    ZERO,
    Message,
    edition,
    encode,
    make_id,
    pack,
    retraction,
)
from support.pair import connection
from support.server import PATIENCE

ID, OTHER = make_id(1767225600000, 7), make_id(1767225600000, 3)


@pytest.fixture
def in_memory(settings):
    settings.WEBSOCKET_BROKER = "memory://"


@pytest.fixture(params=["memory", "redis"])
def broker(request, settings):
    redis = request.param == "redis"
    settings.WEBSOCKET_BROKER = request.getfixturevalue("redis").url if redis else "memory://"


def kinds(reader, count):
    """The next values; of a notice, what it says."""
    found = []
    for _ in range(count):
        message = reader.receive(PATIENCE)
        assert message.notice is (message.gap or message.cleared or message.retracted is not None)
        if message.notice:
            assert message.data is None
        what = {"gap": message.gap, "cleared": message.cleared, "retracted": message.retracted}
        found.append(next(((key, it) for key, it in what.items() if it), message.data))
    assert not reader._queue
    return found


# A message


def test_a_client_is_told_what_was_taken_back():
    notice = Message("room", ID, retraction(OTHER))
    assert (notice.retracted, notice.cleared, notice.gap) == (OTHER, False, False)
    assert (notice.data, notice.json) == (None, "null")
    assert json.loads(encode(notice)) == {"id": ID, "channel": "room", "retracted": OTHER}


def test_a_client_is_told_that_a_channel_was_cleared():
    notice = Message("room", ID, CLEARED)
    assert (notice.retracted, notice.cleared, notice.gap) == (None, True, False)
    assert json.loads(encode(notice)) == {"id": ID, "channel": "room", "cleared": True}


@pytest.mark.parametrize("value", [b"r", b"c", b"r" + ID.encode(), "r", "c", None, b""])
def test_nothing_that_is_published_looks_like_a_notice(value):
    message = Message("room", ID, pack(value))
    assert [message.notice, message.retracted, message.cleared] == [False, None, False]
    assert message.data == value


# A channel


def test_those_who_listen_get_one_notice_in_order(process):
    reader = process.reader("room")
    [first, second] = process.publish("room", "first", "second")
    notice = process.dispatcher.broker.retract("room", first, 10, 60)
    process.publish("room", "third")
    messages = [reader.receive(PATIENCE) for _ in range(4)]
    assert [message.retracted for message in messages] == [None, None, first, None]
    assert [message.id for message in messages[:3]] == [first, second, notice]


@pytest.mark.parametrize("listens", [True, False])
def test_no_replay_has_what_was_taken_back(process, listens):
    if listens:  # the channel's last messages stay at hand
        process.reader("room")
    ids = process.publish("room", 0, 1, 2, 3)
    reader = process.reader("room", since=ids[0])
    assert kinds(reader, 3) == [1, 2, 3]
    process.dispatcher.broker.retract("room", ids[2], 10, 60)
    notice = "retracted", ids[2]
    assert kinds(reader, 1) == [notice]
    assert kinds(process.reader("room", since=BEGINNING), 5) == [0, 1, notice, 3, notice]
    assert kinds(process.reader("room", since=ZERO), 5) == [0, 1, notice, 3, notice]
    assert kinds(process.reader("room", since=ids[1]), 3) == [notice, 3, notice]
    assert kinds(process.reader("room", since=ids[2]), 2) == [3, notice]
    assert kinds(process.reader("room", since=ids[3]), 1) == [notice]


@pytest.mark.parametrize("by_another", [True, False])
@pytest.mark.parametrize("listens", [True, False])
def test_no_page_of_a_long_history_is_kept_that_has_it(processes, listens, by_another):
    process = processes[0]
    ids = process.publish("room", *range(300))
    reader = process.reader("room", since=BEGINNING)
    assert kinds(reader, 300) == list(range(300))
    if not listens:
        reader.close()
    processes[by_another].dispatcher.broker.retract("room", ids[5], 1000, 60)
    notice = "retracted", ids[5]
    if listens:
        assert kinds(reader, 1) == [notice]
    expected = [*range(5), notice, *range(6, 300), notice]
    again = process.reader("room", since=BEGINNING)
    assert kinds(again, 301) == expected
    processes[by_another].dispatcher.broker.clear("room", 60)
    assert kinds(again, 1) == [("cleared", True)]
    assert kinds(process.reader("room", since=BEGINNING), 1) == [("cleared", True)]


@pytest.mark.parametrize("listens", [True, False])
def test_nothing_comes_back_from_before_a_channel_was_cleared(process, listens):
    if listens:
        process.reader("room")
    ids = process.publish("room", 0, 1)
    reader = process.reader("room", since=ids[0])
    assert kinds(reader, 1) == [1]
    cleared = process.dispatcher.broker.clear("room", 60)
    process.publish("room", 2)
    assert [reader.receive(PATIENCE).cleared for _ in range(2)] == [True, False]
    for position in (BEGINNING, ZERO, *ids):
        assert kinds(process.reader("room", since=position), 2) == [("cleared", True), 2]
    assert kinds(process.reader("room", since=cleared), 1) == [2]


def test_a_reader_that_lags_behind_finds_a_notice_where_the_message_was(process):
    reader = process.reader("room", limit=1000)
    ids = process.publish("room", *["x" * 600] * 5)
    process.dispatcher.broker.retract("room", ids[3], 10, 60)
    found = []
    while len(found) < 6:
        found.append(reader.receive(PATIENCE))
    assert [message.retracted for message in found[3:]] == [ids[3], None, ids[3]]
    assert not any(message.gap for message in found)


def test_other_processes_are_told_and_keep_nothing(processes):
    one, other = processes
    reader = one.reader("room")
    ids = one.publish("room", 0, 1)
    assert kinds(reader, 2) == [0, 1]
    other.dispatcher.broker.retract("room", ids[1], 10, 60)
    assert kinds(reader, 1) == [("retracted", ids[1])]
    notice = "retracted", ids[1]
    assert kinds(one.reader("room", since=BEGINNING), 3) == [0, notice, notice]
    other.dispatcher.broker.clear("room", 60)
    assert kinds(reader, 1) == [("cleared", True)]
    assert kinds(one.reader("room", since=ids[0]), 1) == [("cleared", True)]


def test_what_was_taken_back_while_the_broker_was_away_is_known_afterwards(process_on_redis, redis):
    process = process_on_redis
    reader = process.reader("room")
    ids = process.publish("room", 0, 1)
    assert kinds(reader, 2) == [0, 1]
    redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    process.dispatcher.broker.retract("room", ids[0], 10, 60)
    process.publish("room", 2)
    assert kinds(reader, 2) == [("retracted", ids[0]), 2]


# The calls


def test_retract_and_clear(broker):
    with subscribe("room") as messages:
        first = publish("room", b"bytes")
        notice = retract("room", first)
        assert first < notice < clear("room")
        assert kinds(messages, 3) == [b"bytes", ("retracted", first), ("cleared", True)]
    publish("room", "later")
    with subscribe("room", since="0") as messages:
        assert kinds(messages, 2) == [("cleared", True), "later"]


@pytest.mark.parametrize("call", [retract, retract_on_commit])
def test_only_an_id_can_be_taken_back(in_memory, call):
    for wrong in ("0", "", "made up", ID + "\n", ID[:-1], "1767225600000-00000٣"):
        with pytest.raises(ValueError, match=r"expected a message's id as publish\(\) returns it"):
            call("room", wrong)
    for wrong in (None, 7, ID.encode()):
        with pytest.raises(TypeError, match="expected a message's id as str"):
            call("room", wrong)


@pytest.mark.parametrize("name", ["two words", presence_channel("room"), ""])
def test_wrong_names_are_refused(in_memory, name):
    for call in (retract, retract_on_commit):
        with pytest.raises(ValueError, match="channel's name"):
            call(name, ID)
    for call in (clear, clear_on_commit):
        with pytest.raises(ValueError, match="channel's name"):
            call(name)


@pytest.mark.django_db(transaction=True)
def test_on_commit(in_memory):
    first = publish("room", "x")
    with subscribe("room") as messages:
        with transaction.atomic():
            retract_on_commit("room", first)
            clear_on_commit("room")
            with pytest.raises(TimeoutError):
                messages.receive(0)
        assert kinds(messages, 2) == [("retracted", first), ("cleared", True)]
        with transaction.atomic():
            retract_on_commit("room", first)
            clear_on_commit("room")
            transaction.set_rollback(True)
        publish("room", "next")
        assert kinds(messages, 1) == ["next"]


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_an_error_or_a_line_in_the_log(settings, tmp_path, caplog):
    settings.WEBSOCKET_BROKER = f"unix://{tmp_path}/nobody.sock"
    with pytest.raises(BrokerError):
        retract("room", ID)
    with pytest.raises(BrokerError):
        clear("room")
    with transaction.atomic():
        retract_on_commit("room", ID)
        clear_on_commit("room")
    assert caplog.text.count("Error calling") == 2
    assert "nobody.sock" in caplog.text


# A socket


@pytest.mark.parametrize("policy", ["disconnect", "drop_oldest", "latest"])
def test_a_notice_goes_out_as_it_is_whatever_encodes_the_messages(policy):
    def own(message):
        return message.data.upper()

    def key(message):
        return message.data.upper()

    room = Channel("room")
    notices = {retraction(OTHER): {"retracted": OTHER}, CLEARED: {"cleared": True}}
    with connection() as (websocket, client):
        options = (policy, key) if policy == "latest" else (policy, None)
        room.admit(Subscription(websocket, (own, websocket._window_bits, *options)), None)
        for number, payload in enumerate([pack("text"), *notices], 10):
            room.deliver(Message("room", make_id(1, number), payload))
        assert client.receive()[1] == b"TEXT"
        for number, said in enumerate(notices.values(), 11):
            expected = {"id": make_id(1, number), "channel": "room", **said}
            assert json.loads(client.receive()[1]) == expected


def test_a_notice_replaces_no_message_and_is_replaced_by_none():
    room = Channel("room")
    with connection() as (websocket, client):
        room.admit(Subscription(websocket, (encode, websocket._window_bits, "latest", None)), None)
        # More than the kernel takes, so that all that follows waits.
        websocket._deliver(b"\x82\x7f" + (900_000).to_bytes(8) + bytes(900_000), "disconnect", None)
        for number, payload in enumerate(
            [retraction(OTHER), pack("old"), retraction(ID), pack("new"), CLEARED], 10
        ):
            room.deliver(Message("room", make_id(1, number), payload))
        client.receive()
        found = [json.loads(client.receive()[1]) for _ in range(4)]
    assert [(it.get("retracted"), it.get("data"), it.get("cleared")) for it in found] == [
        (OTHER, None, None),
        (ID, None, None),
        (None, "new", None),
        (None, None, True),
    ]


# Editing


def test_a_client_gets_the_new_content_and_knows_of_what():
    message = Message("room", ID, edition(OTHER, pack({"text": "better"})))
    assert (message.edited, message.data, message.notice) == (OTHER, {"text": "better"}, False)
    expected = {"id": ID, "channel": "room", "edited": OTHER, "data": {"text": "better"}}
    assert json.loads(encode(message)) == expected


@pytest.mark.parametrize("value", [b"e", b"e" + ID.encode() + b"j1", "e", {"e": 1}])
def test_nothing_that_is_published_looks_like_an_edition(value):
    message = Message("room", ID, pack(value))
    assert (message.edited, message.data) == (None, value)


def test_an_edition_reaches_those_who_listen_and_replaces_the_old_text_for_later_ones(broker):
    with subscribe("edited") as live, subscribe("edited") as _:
        first, _second = publish("edited", "frist"), publish("edited", "second")
        new = edit("edited", first, "first")
        received = [live.receive(PATIENCE) for _ in range(3)]
        assert [(message.data, message.edited) for message in received] == [
            ("frist", None), ("second", None), ("first", first),
        ]  # fmt: skip
        assert received[2].id == new
        with subscribe("edited", since="0") as later:
            assert [later.receive(PATIENCE).data for _ in range(3)] == ["first", "second", "first"]
        with subscribe("edited", since=first) as later:
            assert [later.receive(PATIENCE).data for _ in range(2)] == ["second", "first"]
        retract("edited", first)
        assert edit("edited", first, "again") is None
        with subscribe("edited", since="0") as later:
            data = [later.receive(PATIENCE).data for _ in range(4)]
        assert data == [None, "second", None, None]


@pytest.mark.django_db(transaction=True)
def test_an_edition_waits_for_the_commit(in_memory):
    first = publish("room", "a")
    with subscribe("room", since=first, timeout=0) as reader, transaction.atomic():
        edit_on_commit("room", first, "b")
        with pytest.raises(TimeoutError):
            reader.receive(0)
    with subscribe("room", since=first) as reader:
        assert reader.receive(PATIENCE).data == "b"


@pytest.mark.parametrize("call", [edit, edit_on_commit])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a room", ID, 1), ValueError),
        (("room", "1", 1), ValueError),
        (("room", 1, 1), TypeError),
        (("room", ID, b"bytes"), TypeError),
        (("room", ID, object()), TypeError),
    ],
)
def test_what_cannot_be_edited_is_said(in_memory, call, arguments, error):
    with pytest.raises(error):
        call(*arguments)
