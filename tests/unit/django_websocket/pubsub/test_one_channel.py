"""An error that belongs to one channel stays that channel's."""

import contextlib
import threading
import time

import pytest

from django_websocket.errors import BrokerError, ChannelError
from django_websocket.pubsub import presence_channel
from django_websocket.pubsub.message import ZERO
from support.server import wait_for

from .conftest import taken

KEY = "websocket:{%s}"


def break_key(redis, key):
    """Give the key a type that it never has."""
    redis.call("DEL", key)
    redis.call("RPUSH", key, "x")


@pytest.fixture
def one(processes):
    return processes[0]


@pytest.fixture
def other(processes):
    return processes[1]


@pytest.mark.parametrize("name", ["room\ud83d", "\udc00", "{a\ud800}:presence"])
def test_a_name_that_cannot_be_sent_leaves_nothing_behind(process, name):
    """Whoever comes to the broker with it past all checks."""
    if process.dispatcher.broker.__class__.__name__ == "MemoryBroker":
        pytest.skip("memory:// can do anything")
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(UnicodeError):
            process.dispatcher.follow(process.reader(), name, None, print)
        assert time.monotonic() - began < 1
    assert process.dispatcher._channels == {}


@pytest.mark.parametrize("key", [KEY % "bad", KEY % "bad" + ":history"])
def test_a_publication_that_fails_has_published_nothing(redis, one, key):
    reader = one.reader("bad")
    one.publish("bad", "before")
    assert taken(reader, 1) == ["before"]
    last = redis.call("GET", KEY % "bad")
    break_key(redis, key)
    with pytest.raises(ChannelError, match="WRONGTYPE"):
        one.publish("bad", "half")
    if key.endswith("history"):
        assert redis.call("GET", KEY % "bad") == last
    redis.call("DEL", key)
    one.publish("bad", "after")
    assert taken(reader, 1) == ["after"]  # and no gap


def test_one_wrong_key_does_not_fail_the_reading_of_others(redis, one):
    names = [f"room{number}" for number in range(250)]
    for name in names:
        one.publish(name, name)
    break_key(redis, KEY % "room7")
    break_key(redis, KEY % "room130" + ":history")
    redis.call("SET", KEY % "room200", "nonsense")
    redis.call("SET", KEY % "room201", b"\xff\xfe\xfd")
    histories = one.dispatcher.broker.read([(name, ZERO) for name in names])
    wrong = {name for name, history in zip(names, histories, strict=True) if history.error}
    assert wrong == {"room7", "room130", "room200", "room201"}
    assert all(isinstance(history.error, ChannelError | None) for history in histories)
    assert [len(h.entries) for h in histories if h.error is None] == [1] * 246


def test_nobody_waits_for_a_channel_that_cannot_be_used_and_it_comes_back(redis, one, caplog):
    good = one.reader("good")
    break_key(redis, KEY % "bad")
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(ChannelError, match="WRONGTYPE"):
            one.reader("bad")
        assert time.monotonic() - began < 1
    one.publish("good", 0)
    assert taken(good, 1) == [0]
    assert "The channel bad cannot be used for now" in caplog.text
    redis.call("DEL", KEY % "bad")
    reader = one.reader("bad")
    one.publish("bad", 1)
    assert taken(reader, 1) == [1]


def test_after_an_outage_the_good_ones_go_on_and_the_bad_ones_follow(redis, one, caplog):
    names = [f"room{number}" for number in range(80)]
    readers = {name: one.reader(name) for name in names}
    for name in names:
        one.publish(name, 0)
        assert taken(readers[name], 1) == [0]
    bad, good = names[:40], names[40:]
    for name in bad:
        redis.call("RENAME", KEY % name, f"saved-{name}")
        break_key(redis, KEY % name)
    redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    for name in good:
        one.publish(name, 1)
        assert taken(readers[name], 1) == [1]
    wait_for(lambda: "The channel room0 cannot be used" in caplog.text, "the line in the log")
    with pytest.raises(BrokerError):
        one.publish(bad[0], "refused")
    for name in bad:
        redis.call("RENAME", f"saved-{name}", KEY % name)
        one.publish(name, 1)
    for name in bad:
        assert taken(readers[name], 1) == [1]


@pytest.mark.parametrize(
    "kind", ["", ":history", ":names", ":counts", ":processes", "undecodable", "no number"]
)
def test_bad_rooms_take_nobody_good_along(redis, processes, settings, kind):
    settings.WEBSOCKET_PRESENCE_TTL = 1.5
    one, other = processes
    witness = other.reader(presence_channel("good"))
    one.dispatcher.announcer.enter("good", "Ada")
    assert witness.receive(10).data == {"joined": ["Ada"], "left": []}
    for number in range(40):
        key = f"websocket:{{bad{number}}}:presence"
        if kind == "no number":
            redis.call("HSET", f"{key}:names", "Grace", "many")
        elif kind != "undecodable":
            break_key(redis, f"{key}{kind}")
        with contextlib.suppress(ChannelError):
            one.dispatcher.announcer.enter(f"bad{number}", "Grace")
        if kind == "undecodable":
            redis.call("HSET", f"{key}:names", b"\xff\xfe", 1)
        with pytest.raises(ChannelError):
            other.dispatcher.broker.roster(f"bad{number}")
    longest = 0.0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        began = time.monotonic()
        one.dispatcher.announcer.enter("fine", "Linus")
        one.dispatcher.announcer.leave("fine", "Linus")
        longest = max(longest, time.monotonic() - began)
        with pytest.raises(TimeoutError):
            witness.receive(0.05)
    assert longest < 1
    assert other.dispatcher.broker.roster("good").people == {"Ada": 1}


@pytest.mark.parametrize("kind", ["", ":history", ":names", ":counts", ":processes"])
def test_a_room_whose_key_was_wrong_is_right_when_that_is_over(redis, processes, kind, settings):
    settings.WEBSOCKET_PRESENCE_TTL = 1.5
    one, other = processes
    key = f"websocket:{{room}}:presence{kind}"
    one.dispatcher.announcer.enter("room", "Ada")
    break_key(redis, key)
    for name in ("Grace", "Linus"):
        with pytest.raises(ChannelError, match="WRONGTYPE"):
            other.dispatcher.announcer.enter("room", name)
    one.dispatcher.announcer.leave("room", "Ada")
    redis.call("DEL", key)
    other.dispatcher.announcer.enter("room", "Grace")
    wait_for(lambda: one.dispatcher.broker.roster("room").people == {"Grace": 1}, "the truth")


def test_garbage_on_the_wire_harms_nobody(redis, one):
    readers = [one.reader("room"), one.reader("other")]
    for data in (b"", b"\xff" * 100, "x", "1767225600000-000000" * 2, b"\x00" * 41):
        redis.call("PUBLISH", KEY % "room", data)
    redis.call("XADD", KEY % "room" + ":history", "1-1", "m", "garbage")
    redis.call("XADD", KEY % "room" + ":history", "1-2", "other", "garbage")
    one.publish("room", 0)
    one.publish("other", 0)
    for reader in readers:
        assert taken(reader, 1) == [0]
    late = one.reader("room", since=ZERO)
    assert taken(late, 1) == [0]


def test_a_page_full_of_garbage_is_passed_over(redis, one):
    for number in range(1, 200):
        redis.call("XADD", KEY % "room" + ":history", f"1-{number}", "m", "garbage")
    one.publish("room", 0)
    assert taken(one.reader("room", since=ZERO), 1) == [0]


def test_a_payload_that_cannot_be_decoded_costs_itself(one):
    reader = one.reader("room")
    one.dispatcher.broker.publish("room", b"j\xff{", 10, 60)
    one.publish("room", "next")
    broken, following = reader.receive(10), reader.receive(10)
    with pytest.raises(ValueError, match="codec"):
        broken.data  # noqa: B018
    assert following.data == "next"


def test_a_failing_chore_keeps_no_other_waiting(process, caplog):
    done = threading.Event()

    def fail():
        raise SystemExit("not today")

    process.dispatcher.chores.call("What fails", fail)
    process.dispatcher.chores.call("What works", done.set, 0.05)
    assert done.wait(10)
    wait_for(lambda: "What fails: not today; trying again" in caplog.text, "the line in the log")


def test_keys_to_which_one_has_no_right_are_one_channel_s(redis, one):
    """Chores go on for the others, and only the right to a command is everybody's."""
    rights = ("~websocket:{good}*", "&*", "+@all")
    redis.call("ACL", "SETUSER", "default", "resetkeys", *rights)
    redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    for call in (
        lambda: one.publish("bad", 1),
        lambda: one.dispatcher.broker.roster("bad"),
        lambda: one.dispatcher.announcer.enter("bad", "Ada"),
        lambda: one.reader("bad"),
    ):
        with pytest.raises(ChannelError, match="to access"):
            call()
    reader = one.reader("good")
    one.publish("good", "on")
    assert taken(reader, 1) == ["on"]
    one.dispatcher.announcer.enter("good", "Ada")
    redis.call("ACL", "SETUSER", "default", "-evalsha")
    with pytest.raises(BrokerError, match="evalsha") as refused:
        one.publish("good", 1)
    assert not isinstance(refused.value, ChannelError)
    redis.call("ACL", "SETUSER", "default", "+@all", "allkeys")
