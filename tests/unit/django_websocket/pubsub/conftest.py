from contextlib import contextmanager

import pytest

from django_websocket.pubsub.brokers.memory import MemoryBroker
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.channel import Channel
from django_websocket.pubsub.dispatcher import Dispatcher
from django_websocket.pubsub.message import pack
from django_websocket.pubsub.reader import Reader
from support.pair import connection
from support.redis import redis_server
from support.server import PATIENCE


@pytest.fixture(scope="session")
def shared_redis():
    """One server for all tests that leave it as it is."""
    with redis_server() as server:
        yield server


@pytest.fixture
def redis():
    """A server of the test's own."""
    with redis_server() as server:
        yield server


@pytest.fixture
def room():
    return Channel("room")


@pytest.fixture
def ada():
    with connection() as pair:
        yield pair


@pytest.fixture
def grace():
    with connection() as pair:
        yield pair


class Process:
    """What one process of a site has: a dispatcher, and readers of it."""

    def __init__(self, broker):
        self.dispatcher = Dispatcher(broker)
        self._readers = []

    def publish(self, channel, *values, history=1000):
        """The ids of the published values."""
        return [self.dispatcher.broker.publish(channel, pack(v), history, 60) for v in values]

    def reader(self, channel=None, since=None, limit=1_000_000):
        reader = Reader(self.dispatcher, limit)
        self._readers.append(reader)
        if channel is not None:
            reader.subscribe(channel, since)
        return reader

    def close(self):
        for reader in self._readers:
            reader.close()
        self.dispatcher.close()


@contextmanager
def other_process(url):
    process = Process(RedisBroker(url))
    yield process
    process.close()


def taken(reader, count):
    """The next values of a reader, with "gap" for a gap."""
    messages = [reader.receive(PATIENCE) for _ in range(count)]
    return ["gap" if message.gap else message.data for message in messages]


@pytest.fixture(params=["memory", "redis"])
def process(request):
    if request.param == "memory":
        process = Process(MemoryBroker())
    else:
        process = Process(RedisBroker(request.getfixturevalue("redis").url))
    yield process
    process.close()


@pytest.fixture
def processes(redis):
    """Two processes on one Redis."""
    processes = [Process(RedisBroker(redis.url)) for _ in range(2)]
    yield processes
    for process in processes:
        process.close()


@pytest.fixture
def process_on_redis(redis):
    process = Process(RedisBroker(redis.url))
    yield process
    process.close()
