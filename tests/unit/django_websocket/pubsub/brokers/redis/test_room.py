"""A Redis that histories fill."""

import contextlib

import pytest

from django_websocket.errors import BrokerError
from django_websocket.metrics import counters
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.brokers.redis.scripts import histories, keys
from django_websocket.pubsub.message import ZERO
from support.redis import redis_server


@pytest.fixture
def small():
    """A Redis with room for a few megabytes."""
    with redis_server("--save", "", "--maxmemory-policy", "noeviction") as server:
        used = int(server.call("INFO", "memory")["used_memory"])
        server.call("CONFIG", "SET", "maxmemory", used + 4_000_000)
        yield server


def fill(broker, count):
    """Channels of 100 kB each, the first of which expires first."""
    return {
        f"room-{number}": broker.publish(f"room-{number}", b"x" * 100_000, 10, 60 + number)
        for number in range(count)
    }


def test_the_histories_that_would_expire_next_make_room(small, caplog):
    before = counters.histories_dropped
    with contextlib.closing(RedisBroker(small.url)) as broker:
        lasts = fill(broker, 100)
        found = broker.read([(channel, ZERO) for channel in lasts])
        kept = [bool(history.entries) for history in found]
        assert kept == sorted(kept)  # the last ones
        assert 10 < sum(kept) < 50
        # That something is missing can be known.
        assert [history.last for history in found] == list(lasts.values())
        assert list(found[0].since(ZERO)) == [lasts["room-0"]]
        assert counters.histories_dropped - before == kept.count(False)
    assert "Redis is full: removed the histories of" in caplog.text


def test_presence_finds_room_as_well(small):
    with contextlib.closing(RedisBroker(small.url)) as broker:
        names = {f"{number:04}{'x' * 200}": 1 for number in range(100)}
        fill(broker, 38)
        for number in range(10):
            assert broker.announce(f"room-{number}", "process", names, 60, None)


def test_what_is_not_ours_stays(small):
    with contextlib.closing(RedisBroker(small.url)) as broker:
        for key in ("other:{room}:history", "websocket:mine", keys("websocket", "room")[0]):
            small.call("SET", key, "mine")
        small.call("XADD", "other:history", "*", "m", "mine")
        fill(broker, 60)
        assert small.call("GET", "other:{room}:history") == "mine"
        assert small.call("GET", "websocket:mine") == "mine"
        assert small.call("XLEN", "other:history") == 1


def test_a_redis_that_others_fill_is_not_searched_by_every_publisher(small):
    with contextlib.closing(RedisBroker(small.url)) as broker:
        small.call("CONFIG", "SET", "maxmemory", 1)
        for _ in range(10):
            with pytest.raises(BrokerError, match="maxmemory"):
                broker.publish("room", b"x", 10, 60)
        stats = small.call("INFO", "commandstats")
        assert stats["cmdstat_scan"]["calls"] < 5


def test_without_the_right_to_look_for_them_it_is_an_error(small, caplog):
    small.call("ACL", "SETUSER", "site", "on", ">secret", "+@all", "-scan", "~*", "&*")
    url = small.url.replace("//", "//site:secret@")
    with (
        contextlib.closing(RedisBroker(url)) as broker,
        pytest.raises(BrokerError, match="maxmemory"),
    ):
        fill(broker, 100)
    assert "its histories cannot be removed" in caplog.text


def test_a_prefix_is_no_pattern(shared_redis):
    assert histories("websocket") == "websocket:*:history"
    assert histories("a*[b]?") == r"a\*\[b\]\?:*:history"
