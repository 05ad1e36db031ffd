from contextlib import closing

import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub import presence_channel
from django_websocket.pubsub.lists import Lists
from django_websocket.pubsub.memory import MemoryBroker
from django_websocket.pubsub.redis import RedisBroker
from support.server import wait_for

ROOM = presence_channel("room")


def test_a_list_is_a_message_at_the_position_of_the_last_change():
    broker = MemoryBroker()
    broker.attend("room", "one", {"Grace": 1, "Ada": 2}, 60, None)
    message = Lists(broker).get(ROOM)
    assert message.data == {"present": ["Ada", "Grace"]}
    assert (message.channel, message.id) == (ROOM, broker.read([(ROOM, None)])[0].last)


def test_those_who_ask_within_a_second_get_the_same_list():
    broker = MemoryBroker()
    lists = Lists(broker)
    first = lists.get(ROOM)
    broker.attend("room", "one", {"Ada": 1}, 60, None)
    assert lists.get(ROOM) is first
    wait_for(lambda: lists.get(ROOM).data == {"present": ["Ada"]}, 5, "a new list")
    assert first.id < lists.get(ROOM).id


def test_a_list_that_is_forgotten_is_read_anew():
    broker = MemoryBroker()
    lists = Lists(broker)
    lists.get(ROOM)
    broker.attend("room", "one", {"Ada": 1}, 60, None)
    lists.forget(ROOM)
    assert lists.get(ROOM).data == {"present": ["Ada"]}


def test_without_a_broker_nobody_knows(tmp_path):
    with closing(RedisBroker(f"unix://{tmp_path}/nobody.sock")) as broker:
        lists = Lists(broker)
        for _ in range(2):
            with pytest.raises(BrokerError, match=r"nobody\.sock"):
                lists.get(ROOM)
