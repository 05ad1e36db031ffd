"""A connection that listens, at a real Redis."""

import signal
from contextlib import contextmanager

import pytest
from redis import ConnectionPool, RedisError

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.redis.single import listening
from django_websocket.pubsub.brokers.redis.subscriber import ConnectionSubscriber, News
from support.server import wait_for


@contextmanager
def subscriber(server):
    pool = ConnectionPool.from_url(server.url)
    with listening(pool) as connection:
        yield ConnectionSubscriber(connection)
    pool.close()


def test_what_is_published_arrives_once_the_subscription_stands(shared_redis):
    with subscriber(shared_redis) as listener:
        listener.subscribe([b"room"])
        assert wait_for(listener.next)[:2] == ("subscribed", b"room")
        assert listener.next() is None
        shared_redis.call("PUBLISH", "room", "hello")
        assert wait_for(listener.next) == News("message", b"room", b"hello")
        listener.unsubscribe(b"room")
        assert wait_for(listener.next).channel == b"room"
        shared_redis.call("PUBLISH", "room", "unheard")
        listener.subscribe([b"other"])
        assert wait_for(listener.next).channel == b"other"


def test_thousands_of_channels_at_once(shared_redis):
    channels = [f"room-{number}".encode() for number in range(1_200)]
    with subscriber(shared_redis) as listener:
        listener.subscribe(channels)
        assert [wait_for(listener.next).channel for _ in channels] == channels
        assert listener.filenos() != []


def test_a_server_that_answers_may_be_silent_for_long(redis):
    with subscriber(redis) as listener:
        pongs = 0

        def two_signs_of_life():
            nonlocal pongs
            listener.require_life()
            pongs += listener.next() is not None
            return pongs == 2

        wait_for(two_signs_of_life)


def test_a_server_that_hangs_is_given_up(redis):
    with subscriber(redis) as listener:
        redis.signal(signal.SIGSTOP)

        def given_up():
            try:
                listener.require_life()
            except BrokerError as error:
                return str(error)
            return ""

        assert "no answer for 3 s" in wait_for(given_up)
        redis.signal(signal.SIGCONT)


def test_a_server_that_goes_ends_it(redis):
    with subscriber(redis) as listener:
        listener.subscribe([b"room"])
        wait_for(listener.next)
        redis.kill()
        with pytest.raises(RedisError, match="Connection closed"):
            wait_for(listener.next)
