"""What an answer of Redis means, without a Redis."""

import pytest
from redis.exceptions import (
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from django_websocket.errors import BrokerError, ChannelError
from django_websocket.pubsub.brokers.redis.replies import (
    facts_of,
    history_of,
    refusal,
    roster_of,
)
from django_websocket.pubsub.message import ZERO, make_id

OF_ONE = [
    ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    ResponseError("ERR user_script:3: attempt to compare nil with number"),
    NoPermissionError("this user has no permissions to access one of the keys"),
]
OF_ALL = [
    ResponseError("MISCONF Redis is configured to save RDB snapshots"),
    ResponseError("LOADING Redis is loading the dataset in memory"),
    ResponseError("CLUSTERDOWN The cluster is down"),
    NoPermissionError("this user has no permissions to run the 'evalsha' command"),
    OutOfMemoryError("command not allowed when used memory > 'maxmemory'"),
    ReadOnlyError("You can't write against a read only replica."),
    RedisError("Connection refused"),
]


@pytest.mark.parametrize("error", OF_ONE, ids=str)
def test_a_channel_of_its_own_is_to_blame(error):
    assert type(refusal("room", error)) is ChannelError


@pytest.mark.parametrize("error", OF_ALL, ids=str)
def test_all_channels_are_concerned(error):
    raised = refusal("redis://localhost", error)
    assert type(raised) is BrokerError
    assert str(raised) == f"redis://localhost: {error}"


def stored(number, payload=b"jnull"):
    """An entry of the stream: its id, and what PUBLISH has put there."""
    id_, previous = make_id(7, number), make_id(7, number - 1)
    return f"7-{number}".encode(), id_.encode() + previous.encode() + payload


def test_a_channel_that_nobody_has_published_to():
    history = history_of(None)
    assert (history.entries, history.last, history.more) == ([], ZERO, None)


def test_entries_are_in_order_with_the_newest_id():
    history = history_of(make_id(7, 2).encode(), [stored(1), stored(2)])
    assert [entry.id for entry in history.entries] == [make_id(7, 1), make_id(7, 2)]
    assert history.last == make_id(7, 2)
    assert history.more is None


def test_what_was_published_between_the_two_answers_counts():
    assert history_of(make_id(7, 1).encode(), [stored(1), stored(2)]).last == make_id(7, 2)


def test_a_full_page_says_where_the_next_one_begins():
    assert history_of(make_id(7, 9).encode(), [stored(1), stored(2)], 2).more == make_id(7, 2)
    assert history_of(make_id(7, 9).encode(), [stored(1)], 2).more is None


def test_what_somebody_else_has_put_into_the_stream_is_left_out():
    foreign = (b"7-3", b"not one of ours")
    history = history_of(make_id(7, 9).encode(), [foreign], 1)
    assert history.entries == []
    assert history.more == make_id(7, 3)


@pytest.mark.parametrize("value", [b"7", b"\xff", b""])
def test_a_key_that_somebody_else_has_written(value):
    with pytest.raises(ValueError, match="expected the id of a message"):
        history_of(value)


def test_a_roster_has_names_and_counts():
    roster = roster_of(make_id(7, 1).encode(), [b"ada", b"2", "grüße".encode(), b"1"])
    assert roster.people == {"ada": 2, "grüße": 1}
    assert roster.position == make_id(7, 1)


@pytest.mark.parametrize("fields", [[b"ada"], [b"ada", b"x"], [b"\xff", b"1"]])
def test_a_roster_that_somebody_else_has_written(fields):
    with pytest.raises(ValueError, match=r"."):
        roster_of(make_id(7, 1).encode(), fields)


def test_facts_of_valkey_and_of_a_service_that_says_little():
    info = (
        b"# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n"
        b"role:master\r\nuptime_in_days:3\r\n"
    )
    facts = facts_of(info, [b"a", b"b"])
    assert facts["server"] == "Valkey 8.1.1, master, up 3 days"
    assert facts["connections"] == "?, of all programs"
    assert facts["channels"].startswith("2 with subscribers now")


def test_facts_that_this_user_may_not_know():
    denied = NoPermissionError("this user has no permissions to run the 'info' command")
    assert facts_of(denied, denied) == dict.fromkeys(("server", "channels"), f"unknown: {denied}")
