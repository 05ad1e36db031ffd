import contextlib
import os
import re
import shutil
import signal
import subprocess
from importlib.resources import files

import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.brokers.suite import BrokerSuite, EditingSuite, PresenceSuite
from django_websocket.pubsub.dispatcher import Dispatcher
from django_websocket.pubsub.reader import Reader
from support.ports import free_port
from support.redis import redis_cluster, redis_sentinel, redis_server, redis_with_tls
from support.server import PATIENCE, ROOT, wait_for

from ...conftest import Process


class _RedisSuite(BrokerSuite, EditingSuite, PresenceSuite):
    def connect(self):
        return RedisBroker(self.url)


class TestOneServer(_RedisSuite):
    @pytest.fixture(autouse=True)
    def server(self, shared_redis):
        self.url = shared_redis.url


class TestSentinel(_RedisSuite):
    @pytest.fixture(autouse=True)
    def server(self, sentinel):
        self.url = sentinel


class TestCluster(_RedisSuite):
    @pytest.fixture(autouse=True)
    def server(self, cluster):
        self.url = cluster


class TestTLS(_RedisSuite):
    @pytest.fixture(autouse=True)
    def server(self, tls):
        url, server = tls
        self.url = f"{url}?ssl_ca_certs={server.authority}"


if shutil.which("valkey-server"):  # a package of Debian 13, not of 12

    class TestValkey(_RedisSuite):
        @pytest.fixture(autouse=True)
        def server(self, valkey):
            self.url = valkey.url


@pytest.fixture(scope="module")
def tls():
    with redis_with_tls() as found:
        yield found


@pytest.fixture(scope="module")
def valkey():
    with redis_server(program="valkey-server") as server:
        yield server


@pytest.fixture(scope="module")
def sentinel():
    with redis_sentinel(down_after=60_000) as (url, *_):  # a busy machine is no failover
        yield url


@pytest.fixture(scope="module")
def cluster():
    with redis_cluster() as (url, *_):
        yield url


@pytest.fixture
def broker(redis):
    broker = RedisBroker(redis.url)
    yield broker
    broker.close()


def test_two_sites_on_one_redis_have_two_prefixes(redis, broker):
    other = RedisBroker(f"{redis.url}?prefix=other")
    other.publish("room", b"x", 10, 60)
    assert broker.read([("room", None)])[0].last.startswith("0000")
    keys = {"other:{room}", "other:{room}:history", "other:mark", "websocket:mark"}
    assert set(redis.call("KEYS", "*")) == keys
    other.close()


def test_every_key_of_a_channel_expires(redis, broker):
    broker.publish("room", b"x", 10, 60)
    broker.announce("room", "one", {"Ada": 1}, 60, None)
    assert 59_000 < redis.call("PTTL", "websocket:{room}:history") <= 60_000
    assert 60_000 < redis.call("PTTL", "websocket:{room}") <= 24 * 3_600_000 + 60_000
    of_channels = redis.call("KEYS", "*{room}*")
    assert len(of_channels) == 7
    assert all(redis.call("PTTL", key) > 0 for key in of_channels)


def test_a_position_is_not_in_doubt_because_nobody_has_read_yet(redis, broker):
    position = broker.publish("room", b"x", 10, 60)
    [history] = broker.read([("never", position)])
    assert list(history.since(position)) == [], "a false gap"


def test_ids_grow_when_the_clock_stands_still_or_goes_back(redis, broker):
    redis.call("SET", "websocket:{room}", "9999999999998-999998")
    ids = [broker.publish("room", b"x", 10, 60) for _ in range(3)]
    assert ids == ["9999999999998-999999", "9999999999999-000000", "9999999999999-000001"]
    assert [entry.id for entry in broker.read([("room", ids[0])])[0].entries] == ids[1:]


def test_ids_grow_after_a_restart_without_data(redis, broker):
    before = broker.publish("room", b"x", 10, 60)
    redis.kill()
    redis.forget()
    redis.start()
    assert broker.publish("room", b"y", 10, 60) > before


def test_publishing_goes_on_by_itself_after_a_restart(redis, broker):
    broker.publish("room", b"x", 10, 60)
    redis.kill()
    with pytest.raises(BrokerError, match=r"redis\.sock"):
        broker.publish("room", b"y", 10, 60)
    redis.start()
    broker.publish("room", b"z", 10, 60)
    assert [e.payload for e in broker.read([("room", "0000000000000-000000")])[0].entries] == [
        b"x",
        b"z",
    ]


def test_a_memory_that_others_have_filled_is_an_error_and_publishes_nothing():
    with redis_server("--save", "") as full:
        broker = RedisBroker(full.url)
        first = broker.publish("room", b"x", 10, 60)
        full.call("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(BrokerError, match="maxmemory"):
            broker.publish("room", b"x", 10, 60)
        full.call("CONFIG", "SET", "maxmemory", "0")
        assert broker.read([("room", None)])[0].last == first
        broker.close()


def test_a_message_that_no_replica_has_is_an_error():
    with (
        redis_server(port=free_port()) as primary,
        redis_server("--replicaof", "127.0.0.1", str(primary.port), port=free_port()) as replica,
        contextlib.closing(RedisBroker(f"{primary.url}?wait=1")) as broker,
    ):
        wait_for(lambda: replica.call("INFO")["master_link_status"] == "up", "the replica")
        first = broker.publish("room", b"1", 10, 60)
        assert replica.call("GET", "websocket:{room}") == first
        replica.signal(signal.SIGSTOP)
        with pytest.raises(BrokerError, match="expected 1 replicas to have the message within 1 s"):
            broker.publish("room", b"2", 10, 60)
        replica.signal(signal.SIGCONT)
        third = broker.publish("room", b"3", 10, 60)
        assert replica.call("GET", "websocket:{room}") == third


def test_a_wrong_password_is_named_and_not_shown():
    with redis_server("--save", "", "--requirepass", "right") as server:
        broker = RedisBroker(server.url.replace("unix://", "unix://:secret@"))
        with pytest.raises(BrokerError, match=r"(?i)password") as caught:
            broker.publish("room", b"x", 10, 60)
        assert "secret" not in str(caught.value)
        with pytest.raises(BrokerError):
            broker.check()
        broker.close()


def test_a_certificate_that_nobody_trusts_is_refused(tls):
    url, _ = tls
    broker = RedisBroker(url)
    with pytest.raises(BrokerError, match="CERTIFICATE_VERIFY_FAILED"):
        broker.publish("room", b"x", 10, 60)
    broker.close()


def test_a_certificate_of_another_host_is_refused(tls):
    url, server = tls
    broker = RedisBroker(f"{url.replace('127.0.0.1', 'localhost')}?ssl_ca_certs={server.authority}")
    with pytest.raises(BrokerError, match=r"(?i)hostname mismatch"):
        broker.publish("room", b"x", 10, 60)
    broker.close()


def test_what_is_more_than_one_tls_record_is_heard_at_once(tls):
    url, server = tls
    process = Process(RedisBroker(f"{url}?ssl_ca_certs={server.authority}"))
    reader = process.reader("room", limit=10_000_000)
    texts = [f"{number}" + "x" * 50_000 for number in range(50)]
    process.publish("room", *texts)
    assert [reader.receive(PATIENCE).data for _ in texts] == texts
    process.close()


def test_what_others_publish_to_the_channel_is_ignored_and_logged_once(redis, broker, caplog):
    reader = Reader(Dispatcher(broker), 10_000)
    reader.subscribe("room")
    for foreign in ("hello", "x" * 100):
        redis.call("PUBLISH", "websocket:{room}", foreign)
    broker.publish("room", b'j"ours"', 10, 60)
    assert reader.receive(PATIENCE).data == "ours"
    reader.close()
    (warning,) = (record.getMessage() for record in caplog.records)
    assert "websocket:{room}" in warning
    assert "publish()" in warning


def test_another_language_publishes_as_the_documentation_shows(redis, broker, tmp_path):
    page = (ROOT / "docs/how-to/publish-from-anywhere.md").read_text()
    (commands,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    folder = files("django_websocket.pubsub.brokers.redis")  # also where it is installed
    commands = commands.replace("redis-cli ", f"redis-cli -s {redis.url.removeprefix('unix://')} ")
    reader = Reader(Dispatcher(broker), 10_000)
    reader.subscribe("prices")
    environment = os.environ | {"SCRIPTS": str(folder)}
    published = subprocess.run(
        ["sh", "-e", "-c", commands],
        cwd=tmp_path, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    message = reader.receive(PATIENCE)
    assert message.data == {"product": 7, "price": "12.50"}
    assert message.id == published.stdout.strip()
    reader.close()


def test_the_rights_that_the_documentation_names_are_enough(redis):
    text = " ".join((ROOT / "docs/reference/channels.md").read_text().split())
    commands = re.search(r"The Redis user needs `([^`]+)`", text)[1].split()
    rights = ["~websocket:*", "&websocket:*", *commands]
    redis.call("ACL", "SETUSER", "chat", "on", ">secret", "resetchannels", *rights)
    process = Process(RedisBroker(redis.url.replace("unix://", "unix://chat:secret@")))
    reader = process.reader("room", since="0")
    process.publish("room", "hello")
    assert reader.receive(PATIENCE).data == "hello"
    for counts, stamp in (({"Ada": 1}, None), ({"Ada": 2}, None), ({}, None)):
        process.dispatcher.broker.announce("room", "one", counts, 60, stamp)
    process.dispatcher.broker.announce("room", "dead", {"Ada": 1}, 0.001, None)
    process.dispatcher.broker.roster("room")
    process.dispatcher.broker.check()
    process.close()


def test_a_redis_that_has_been_emptied_is_no_reason_to_keep_silent(redis):
    """FLUSHALL ends no connection, and Redis has been running for as long as before."""
    process = Process(RedisBroker(redis.url))
    with contextlib.closing(process):
        process.reader("room").close()
        old = process.publish("room", 1, 2, 3)
        other = old[0]
        while other in old:  # within a millisecond two channels may have the same ids
            [other] = process.publish("other", 1)
        assert not misses(process, "room", old[2])
        assert not misses(process, "room", other)
        redis.call("FLUSHALL")
        assert misses(process, "room", old[1])
        assert misses(process, "other", other)
        process.publish("room", 4)
        assert misses(process, "room", old[0])


def misses(process, channel, since):
    """Whether one who comes back to ``channel`` is told of a gap first."""
    with contextlib.suppress(TimeoutError):
        return process.reader(channel, since).receive(0.1).gap
    return False
