import threading

import pytest

from django_websocket.errors import BrokerError
from support.server import PATIENCE

from .conftest import taken


def test_a_reader_that_waits_is_woken(process):
    reader = process.reader("room")
    timer = threading.Timer(0.1, process.publish, ("room", "news"))
    timer.start()
    assert reader.receive(PATIENCE).data == "news"
    timer.join()


def test_a_timeout_ends_the_wait(process):
    reader = process.reader("room")
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        reader.receive(0.05)


def test_several_channels_come_in_one_stream(process):
    reader = process.reader("one")
    reader.subscribe("two")
    process.publish("one", 1)
    process.publish("two", 2)
    process.publish("one", 3)
    received = [reader.receive(PATIENCE) for _ in range(3)]
    assert {(message.channel, message.data) for message in received} == {
        ("one", 1), ("two", 2), ("one", 3),
    }  # fmt: skip


def test_subscribing_twice_is_subscribing_once(process):
    reader = process.reader("room")
    reader.subscribe("room")
    process.publish("room", 0, 1)
    assert taken(reader, 2) == [0, 1]


def test_a_reader_that_lags_goes_back_to_the_history(process):
    reader = process.reader("room", limit=3000)
    prompt = process.reader("room")
    process.publish("room", *range(100))
    assert taken(prompt, 100) == list(range(100))
    assert taken(reader, 100) == list(range(100))
    process.publish("room", 100)
    assert taken(reader, 1) == [100]


def test_a_reader_that_lags_behind_the_history_finds_a_gap(process):
    reader = process.reader("room", limit=3000)
    process.publish("room", *range(500), history=10)
    received = [reader.receive(PATIENCE)]
    while received[-1].data != 499:
        received.append(reader.receive(PATIENCE))
    gaps = [message for message in received if message.gap]
    assert len(gaps) == 1
    ids = [message.id for message in received]
    assert ids == sorted(set(ids))


def test_a_reader_that_lags_while_the_broker_is_away_can_go_on_later(redis, process_on_redis):
    reader = process_on_redis.reader("room", limit=3000)
    prompt = process_on_redis.reader("room")
    process_on_redis.publish("room", *range(100))
    assert taken(prompt, 100) == list(range(100))
    redis.cut_off()
    before = []
    with pytest.raises(BrokerError):
        before.extend(message.data for message in reader)
    redis.mend()
    process_on_redis.publish("room", 100)
    assert taken(prompt, 1) == [100]
    assert before + taken(reader, 101 - len(before)) == list(range(101))
