import contextlib
import os
import select
import threading
from pathlib import Path

import pytest

from django_websocket.errors import BrokerError
from support.server import PATIENCE, wait_for

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


def readable(reader, seconds=0):
    return select.select([reader], [], [], seconds)[0] == [reader]


def test_its_descriptor_is_readable_while_messages_wait(process):
    reader = process.reader("room")
    assert not readable(reader)
    timer = threading.Timer(0.1, process.publish, ("room", 0, 1))
    timer.start()
    assert readable(reader, PATIENCE)
    timer.join()
    assert taken(reader, 1) == [0]
    assert readable(reader, PATIENCE)
    assert taken(reader, 1) == [1]
    assert not readable(reader)


def test_its_descriptor_is_readable_while_the_history_is_to_be_read(process):
    process.publish("room", *range(500), history=500)
    reader = process.reader("room", since="0", limit=3000)
    found = []
    while readable(reader):
        with contextlib.suppress(TimeoutError):
            found.append(reader.receive(0).data)
    assert found == list(range(500))


def test_its_descriptor_is_readable_when_it_lags(process):
    reader = process.reader("room", limit=3000)
    prompt = process.reader("room")
    assert not readable(reader)
    process.publish("room", *range(100))
    assert taken(prompt, 100) == list(range(100))
    found = []
    while readable(reader):
        with contextlib.suppress(TimeoutError):
            found.append(reader.receive(0).data)
    assert found == list(range(100))


def test_its_descriptor_is_given_back(process):
    """Which number it had says nothing: another's may have it by now."""
    before = _descriptors()
    for _ in range(50):
        reader = process.reader("room")
        os.fstat(reader.fileno())
        reader.close()
        reader.close()
        assert reader.fileno() == -1
    # gevent closes a descriptor when its loop has had a turn
    wait_for(lambda: _descriptors() < before + 25, "the descriptors to be closed")


def _descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))
