"""A user's function delays and breaks those only whose messages it encodes."""

import json
import threading

import gevent
import pytest

from django_websocket.pubsub import publish, subscribe
from django_websocket.pubsub.fanout import Subscription
from django_websocket.pubsub.message import Message, encode, make_id, pack
from django_websocket.pubsub.process import get_dispatcher
from django_websocket.pubsub.subscriptions import Subscriptions
from support.pair import until


@pytest.fixture(autouse=True)
def in_memory(settings):
    settings.WEBSOCKET_BROKER = "memory://"


def join(channel, websocket, own=encode, policy="disconnect", key=None):
    member = Subscription(websocket, (own, websocket._window_bits, policy, key))
    channel.admit(member, None)
    return member


def say(channel, *values):
    for value in values:
        number = int((channel.position or make_id(0, 0))[-6:]) + 1
        channel.deliver(Message(channel.name, make_id(0, number), pack(value)))


def heard(client, count):
    return [client.receive()[1].decode() for _ in range(count)]


def heard_json(client, count):
    return [json.loads(text)["data"] for text in heard(client, count)]


class Slow:
    """An encoding that waits for a signal."""

    def __init__(self):
        self.go = gevent.event.Event()
        self.asked = []

    def __call__(self, message):
        self.asked.append(message.data)
        self.go.wait()
        return f"slow {message.data}"


def test_an_encoding_that_waits_keeps_its_order_and_nobody_else_waiting(room, ada, grace):
    slow = Slow()
    join(room, ada[0], slow)
    join(room, grace[0])
    say(room, 0, 1, 2)
    assert heard_json(grace[1], 3) == [0, 1, 2]
    until(lambda: slow.asked == [0])
    say(room, 3)
    assert heard_json(grace[1], 1) == [3]
    slow.go.set()
    assert heard(ada[1], 4) == ["slow 0", "slow 1", "slow 2", "slow 3"]


def test_a_key_that_waits_keeps_nobody_else_waiting(room, ada, grace):
    slow = Slow()
    join(room, ada[0], policy="latest", key=slow)
    join(room, grace[0])
    say(room, 0)
    assert heard_json(grace[1], 1) == [0]
    slow.go.set()
    assert heard_json(ada[1], 1) == [0]


def test_who_joins_while_it_waits_gets_only_what_comes_after(room, ada, grace):
    slow = Slow()
    join(room, ada[0], slow)
    say(room, "before", "too")
    until(lambda: slow.asked)
    join(room, grace[0], slow)
    say(room, "after")
    slow.go.set()
    assert heard(ada[1], 3) == ["slow before", "slow too", "slow after"]
    assert heard(grace[1], 1) == ["slow after"]


def test_who_leaves_while_it_waits_gets_nothing_more(room, ada, grace):
    slow = Slow()
    member = join(room, ada[0], slow)
    join(room, grace[0], slow)
    say(room, 0)
    until(lambda: slow.asked)
    room.dismiss(member)
    slow.go.set()
    assert heard(grace[1], 1) == ["slow 0"]
    assert ada[0].messages_sent == 0


@pytest.mark.parametrize("error", [RuntimeError("never"), SystemExit(3), gevent.Timeout(1)])
def test_whatever_it_raises_costs_one_message(room, ada, grace, caplog, error):
    def fail(message):
        if message.data == "bad":
            raise error
        return "good"

    join(room, ada[0], fail)
    join(room, ada[0], encode, "latest", fail)
    join(room, grace[0])
    say(room, "bad", "fine")
    assert heard_json(grace[1], 2) == ["bad", "fine"]
    got = heard(ada[1], 2)
    assert "good" in got
    assert '"fine"' in "".join(got)
    assert "was not sent: its encode function failed" in caplog.text


@pytest.mark.parametrize("tag", [[], {}])
def test_a_key_that_is_no_key(room, ada, grace, caplog, tag):
    join(room, ada[0], encode, "latest", lambda message: tag)
    join(room, grace[0])
    say(room, 0)
    assert heard_json(grace[1], 1) == [0]
    until(lambda: "unhashable" in caplog.text)


def test_it_may_publish_and_subscribe(ada, grace):
    """Also to its own channel, over the broker that delivers in the publisher's own greenlet."""
    other = Subscriptions(grace[0], get_dispatcher)

    def busy(message):
        if isinstance(message.data, int) and message.data < 3:
            publish("room", message.data + 1)
        publish("echo", message.data)
        other.subscribe(f"room{message.data}")
        with subscribe("room", since="0", timeout=0) as messages:
            count = len(list(messages))
        return f"{message.data} of {count}"

    subscriptions = Subscriptions(ada[0], get_dispatcher)
    subscriptions.subscribe("room", encode=busy)
    with subscribe("echo") as echo, gevent.Timeout(30):
        publish("room", 0)
        assert [text[0] for text in heard(ada[1], 4)] == ["0", "1", "2", "3"]
        assert [echo.receive(5).data for _ in range(4)] == [0, 1, 2, 3]
    subscriptions.close()
    other.close()


def test_one_that_waits_for_ever_costs_its_own_clients(room, ada, grace, settings, caplog):
    settings.WEBSOCKET_SEND_BUFFER_SIZE = 10_000
    join(room, ada[0], Slow())
    join(room, grace[0])
    for number in range(20):
        say(room, f"{number} {'x' * 1000}")
        assert heard_json(grace[1], 1)[0].startswith(f"{number} ")
    until(lambda: ada[0].closed)
    assert ada[0].close_code == 1013
    assert "their encode function is too slow" in caplog.text


def test_where_messages_may_be_dropped_the_oldest_are(room, ada, settings):
    settings.WEBSOCKET_SEND_BUFFER_SIZE = 10_000
    slow = Slow()
    join(room, ada[0], slow, "drop_oldest")
    say(room, *range(20), *[f"{number} {'x' * 1000}" for number in range(20)])
    until(lambda: slow.asked)
    slow.go.set()
    got = heard(ada[1], 1)
    while not got[-1].startswith("slow 19 x"):
        got += heard(ada[1], 1)
    assert len(got) < 20
    assert not ada[0].closed


def test_publishers_in_other_threads_are_served_in_order(room, ada):
    join(room, ada[0], lambda message: f"{message.data}")
    in_thread = gevent.get_hub().threadpool.apply
    for number in range(0, 20, 2):
        say(room, number)
        in_thread(say, (room, number + 1))
    assert heard(ada[1], 20) == [f"{number}" for number in range(20)]


def test_a_lock_of_the_user_s_is_no_deadlock(ada):
    """Two threads: one publishes with the lock, the encoding takes it."""
    lock = threading.Lock()

    def locked(message):
        with lock:
            return "fine"

    subscriptions = Subscriptions(ada[0], get_dispatcher)
    subscriptions.subscribe("room", encode=locked)
    with lock:
        publish("room", 0)
    assert heard(ada[1], 1) == ["fine"]
    subscriptions.close()
