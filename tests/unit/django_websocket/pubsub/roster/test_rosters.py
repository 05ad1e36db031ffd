from contextlib import closing

import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub import presence_channel
from django_websocket.pubsub.brokers.memory import MemoryBroker
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.roster.rosters import Rosters
from support.server import wait_for

ROOM = presence_channel("room")


def test_a_list_is_a_message_at_the_position_of_the_last_change():
    broker = MemoryBroker()
    broker.announce("room", "one", {"Grace": 1, "Ada": 2}, 60, None)
    message = Rosters(broker).get(ROOM)
    assert message.data == {"present": ["Ada", "Grace"]}
    assert (message.channel, message.id) == (ROOM, broker.read([(ROOM, None)])[0].last)


def test_those_who_ask_for_a_long_list_within_a_second_get_the_same():
    broker = MemoryBroker()
    rosters = Rosters(broker)
    stamp = broker.announce("room", "one", {f"{number:03}": 1 for number in range(100)}, 60, None)
    first = rosters.get(ROOM)
    broker.announce("room", "one", {"Ada": 1}, 60, stamp)
    assert rosters.get(ROOM) is first
    rosters.forget(ROOM)
    second = rosters.get(ROOM)
    assert len(second.data["present"]) == 101
    assert first.id < second.id
    wait_for(lambda: rosters.get(ROOM) is not second, "a list that is read anew")


def test_a_short_list_is_as_it_is_now():
    broker = MemoryBroker()
    rosters = Rosters(broker)
    assert rosters.get(ROOM).data == {"present": []}
    broker.announce("room", "one", {"Ada": 1}, 60, None)
    assert rosters.get(ROOM).data == {"present": ["Ada"]}


def test_without_a_broker_nobody_knows(tmp_path):
    with closing(RedisBroker(f"unix://{tmp_path}/nobody.sock")) as broker:
        rosters = Rosters(broker)
        for _ in range(2):
            with pytest.raises(BrokerError, match=r"nobody\.sock"):
                rosters.get(ROOM)
