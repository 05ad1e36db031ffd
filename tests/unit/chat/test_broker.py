"""Two brokers stand for two processes; the Redis between them is real."""

import logging
import queue
import signal
from contextlib import ExitStack

import pytest

from chat import broker as module
from chat.broker import Broker, BrokerError
from support.server import wait_for


class Inbox:
    """What one socket's receiver was called with."""

    def __init__(self) -> None:
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.put = self._queue.put

    def next(self) -> str | None:
        return self._queue.get(timeout=10)

    def skip_to(self, payload: str | None) -> None:
        while self.next() != payload:
            pass


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(module, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.1)


@pytest.fixture
def join(redis):
    """Listen to a room in a broker, until its subscription stands."""
    with ExitStack() as stack:

        def join(broker: Broker, room: str = "lobby") -> Inbox:
            inbox = Inbox()
            stack.enter_context(broker.subscription(room, inbox.put))
            return inbox

        yield join


def test_carries_a_payload_to_every_process(redis, join):
    here, there = Broker(redis.url), Broker(redis.url)
    inboxes = [join(here), join(here), join(there)]
    for inbox in (inboxes[0], inboxes[2]):
        inbox.skip_to(None)
    here.publish("lobby", "hello")
    for inbox in inboxes:
        inbox.skip_to("hello")


def test_tells_rooms_apart(redis, join):
    broker = Broker(redis.url)
    lobby, kitchen = join(broker, "lobby"), join(broker, "kitchen")
    lobby.skip_to(None)
    broker.publish("lobby", "to the lobby")
    broker.publish("kitchen", "to the kitchen")
    lobby.skip_to("to the lobby")
    kitchen.skip_to("to the kitchen")
    broker.publish("lobby", "last")
    assert lobby.next() == "last"


def test_one_connection_listens_however_many_sockets_there_are(redis, join):
    broker = Broker(redis.url)
    inboxes = [join(broker, f"room-{number}") for number in range(50)]
    inboxes[0].skip_to(None)
    assert redis.connections() == 1


def test_who_has_left_hears_nothing(redis, join):
    broker = Broker(redis.url)
    inbox, left = join(broker), Inbox()
    inbox.skip_to(None)
    with broker.subscription("lobby", left.put):
        pass
    broker.publish("lobby", "hello")
    inbox.skip_to("hello")
    assert left._queue.empty()


def test_nobody_listens_when_nobody_is_there(redis, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.05)
    broker, inbox = Broker(redis.url), Inbox()
    for _ in range(2):
        with broker.subscription("lobby", inbox.put):
            inbox.skip_to(None)
            assert redis.connections() == 1
        wait_for(lambda: not broker._listening, 10, "the end of the listener")


def test_garbage_on_the_channel_does_no_harm(redis, join):
    broker = Broker(redis.url)
    inbox = join(broker)
    inbox.skip_to(None)
    broker._redis.publish("chat.lobby", b"\xff")
    broker.publish("lobby", "hello")
    inbox.skip_to("hello")


def test_comes_back_after_a_restart_and_says_that_something_may_be_missing(redis, join, caplog):
    caplog.set_level(logging.INFO)
    broker = Broker(redis.url)
    inbox = join(broker)
    inbox.skip_to(None)
    redis.kill()
    wait_for(lambda: "Lost Redis" in caplog.text, 10, "a word about the loss")
    redis.start()
    inbox.skip_to(None)
    broker.publish("lobby", "here again")
    inbox.skip_to("here again")


def test_notices_a_redis_that_says_nothing(redis, join, caplog, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.2)
    broker = Broker(redis.url)
    inbox = join(broker)
    inbox.skip_to(None)
    redis.signal(signal.SIGSTOP)
    wait_for(lambda: "no answer" in caplog.text, 10, "a word about the silence")
    redis.signal(signal.SIGCONT)
    inbox.skip_to(None)


def test_a_quiet_redis_is_not_a_lost_one(redis, join, caplog, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.02)
    inbox = join(Broker(redis.url))
    inbox.skip_to(None)
    with pytest.raises(queue.Empty):
        inbox._queue.get(timeout=0.5)
    assert "Lost" not in caplog.text


def test_publishing_outlives_a_connection_that_died(redis):
    broker = Broker(redis.url)
    broker.publish("lobby", "one")
    redis.kill()
    redis.start()
    broker.publish("lobby", "two")


def test_says_when_it_cannot_publish(redis):
    broker = Broker(redis.url)
    redis.kill()
    with pytest.raises(BrokerError):
        broker.publish("lobby", "hello")


def test_waits_for_a_hanging_redis_only_so_long(redis, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    broker = Broker(redis.url)
    redis.signal(signal.SIGSTOP)
    with pytest.raises(BrokerError):
        broker.publish("lobby", "hello")
    redis.signal(signal.SIGCONT)
