"""Whatever happens to Redis and the workers, nobody misses or repeats a message."""

import contextlib
import json
import os
import random
import signal
import threading
import time
import uuid

import psutil
import pytest
import websocket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.message import ZERO, pack
from support.redis import redis_server
from support.server import OUR_WORKER, PATIENCE, serve, wait_for

from .conftest import other_process, taken

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 20)),
        st.tuples(st.just("join"), st.integers(0, 100)),
        st.tuples(st.just("break"), st.none()),
        st.tuples(st.just("cut off"), st.integers(0, 20)),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def redis():
    with redis_server() as server:
        yield server


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_every_reader_gets_all_that_came_after_its_position(redis, steps):
    """Readers join at random places of a channel whose connections break at random times."""
    channel, ids = f"room-{uuid.uuid4().hex}", [ZERO]
    with other_process(redis.url) as publishing, other_process(redis.url) as listening:
        readers = [(0, listening.reader(channel, since=ZERO))]

        def publish(process, count):
            ids.extend(process.publish(channel, *range(len(ids), len(ids) + count)))

        for step, number in steps:
            if step == "publish":
                publish(publishing, number)
            elif step == "join":
                place = number % len(ids)
                with contextlib.suppress(BrokerError):  # refused in the middle of an outage
                    readers.append((place, listening.reader(channel, since=ids[place])))
            elif step == "break":
                redis.call("CLIENT", "KILL", "TYPE", "pubsub")
            else:
                redis.cut_off()
                with other_process(redis.hidden_url) as inside:
                    publish(inside, number)
                redis.mend()
        publish(publishing, 1)
        for place, reader in readers:
            assert taken(reader, len(ids) - 1 - place) == list(range(place + 1, len(ids)))
            with pytest.raises(TimeoutError):
                reader.receive(0)


class Client(threading.Thread):
    """A browser: comes back whenever it is thrown out, and goes on where it was."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self._servers = servers
        self.since = ZERO
        self.received = []
        self.connections = 0
        self.start()

    def run(self):
        while True:
            with contextlib.suppress(OSError, websocket.WebSocketException):
                if self._listen(random.choice(self._servers)):
                    return
            time.sleep(random.uniform(0, 0.3))

    def _listen(self, server):
        path = f"/channel/room/?since={self.since}"
        with contextlib.closing(server.connect(path)) as client:
            self.connections += 1
            while text := client.recv():
                message = json.loads(text)
                self.since = message.get("id", self.since)
                if "id" in message:
                    self.received.append(message)
                if message.get("data") == "end":
                    return True
        return False


def publish_through(redis, value):
    """Publish ``value`` as a program does that tries again when it is told of a failure."""
    with contextlib.closing(RedisBroker(redis.url)) as broker:
        wait_for(lambda: published(broker, value), "Redis to be back")


def published(broker, value):
    try:
        return broker.publish("room", pack(value), 10_000, 600)
    except BrokerError:
        return None


def kill_worker(server):
    os.kill(psutil.Process(server.pid).children()[0].pid, signal.SIGKILL)


def test_killed_workers_and_a_restarted_redis_lose_no_message(tmp_path):
    with (
        redis_server() as redis,
        serve("support.channels.wsgi:websocket", OUR_WORKER, tmp_path / "one",
              {"CHANNELS_BROKER": redis.url}) as one,
        serve("support.channels.wsgi:websocket", OUR_WORKER, tmp_path / "other",
              {"CHANNELS_BROKER": redis.url}) as other,
    ):  # fmt: skip
        clients = [Client([one, other]) for _ in range(20)]
        wait_for(lambda: all(client.connections for client in clients), "all clients")
        faults = {
            20: lambda: kill_worker(one),
            40: redis.cut_off,
            60: redis.mend,
            80: lambda: (redis.kill(), redis.start()),
            100: lambda: kill_worker(other),
        }
        for number in range(120):
            faults.get(number, lambda: None)()
            if number < 40 or number >= 60:
                publish_through(redis, number)
            time.sleep(0.05)  # twenty a second
        publish_through(redis, "end")
        for client in clients:
            client.join(PATIENCE)
            assert not client.is_alive(), "a client waits for messages"
        expected = [*range(40), *range(60, 120), "end"]
        for client in clients:
            ids = [message["id"] for message in client.received]
            assert ids == sorted(set(ids))
            assert not [message for message in client.received if "gap" in message]
            assert list(dict.fromkeys(message["data"] for message in client.received)) == expected
        assert sum(client.connections for client in clients) > len(clients)
