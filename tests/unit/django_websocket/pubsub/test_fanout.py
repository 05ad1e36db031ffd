"""Messages of a channel on their way to sockets, and the clients' ends of those."""

import json

import gevent
import pytest

from django_websocket.pubsub.channel import Channel
from django_websocket.pubsub.fanout import Subscription
from django_websocket.pubsub.message import Message, encode, make_id, pack
from django_websocket.rfc6455.frames import encode_frame
from support.pair import run_hub


def join(channel, websocket, policy="disconnect"):
    channel.admit(Subscription(websocket, (encode, websocket._window_bits, policy, None)), None)


def publish(channel, *values):
    for value in values:
        number = int((channel.position or make_id(0, 0))[-6:]) + 1
        channel.deliver(Message(channel.name, make_id(0, number), pack(value)))


def heard(client, count):
    return [json.loads(client.receive()[1])["data"] for _ in range(count)]


@pytest.mark.parametrize("policy", ["disconnect", "drop_oldest", "latest"])
def test_messages_that_arrive_together_leave_together(room, ada, grace, policy):
    for websocket, _ in (ada, grace):
        join(room, websocket, policy)
    before = [websocket.bytes_sent for websocket, _ in (ada, grace)]
    publish(room, 0, 1, 2)
    assert [websocket.bytes_sent for websocket, _ in (ada, grace)] == before
    for websocket, client in (ada, grace):
        assert heard(client, 3) == [0, 1, 2]
        assert websocket.messages_sent == 3


def test_who_joins_meanwhile_gets_only_what_comes_after(room, ada, grace):
    join(room, ada[0])
    publish(room, "before")
    join(room, grace[0])
    publish(room, "after")
    assert heard(grace[1], 1) == ["after"]
    assert heard(ada[1], 2) == ["before", "after"]


def test_what_is_large_does_not_wait(room, ada):
    websocket, client = ada
    join(room, websocket)
    publish(room, *["x" * 30_000] * 3)
    assert websocket.messages_sent == 3
    publish(room, "small")
    assert heard(client, 4)[-1] == "small"


def test_who_has_left_or_gone_gets_nothing_more(room, ada, grace):
    join(room, ada[0])
    join(room, grace[0])
    publish(room, 0)
    ada[0].close()
    run_hub()
    assert (ada[0].messages_sent, grace[0].messages_sent) == (0, 1)


def test_another_thread_publishes_in_order(room, ada):
    websocket, client = ada
    join(room, websocket)
    in_thread = gevent.get_hub().threadpool.apply
    for number in range(0, 20, 2):
        publish(room, number)
        in_thread(publish, (room, number + 1))
    assert heard(client, 20) == list(range(20))
    assert websocket.messages_sent == 20


def test_what_must_arrive_is_not_dropped_for_what_may_be(room, ada):
    websocket, client = ada
    other = Channel("other")
    join(room, websocket)
    join(other, websocket, "drop_oldest")
    # More than the kernel takes, so that all that follows waits.
    stuck = encode_frame(1, b'{"data":"stuck"}' + b" " * 900_000)
    websocket._deliver(stuck, "disconnect", None)
    publish(room, *["x" * 60_000] * 2)
    run_hub()
    publish(other, *["y" * 60_000] * 12)
    assert heard(client, 4) == ["stuck", "x" * 60_000, "x" * 60_000, "y" * 60_000]
