"""A long history comes in pages, which those share who ask for the same."""

import gc
import threading

import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.memory import MemoryBroker
from django_websocket.pubsub.channel import Channel
from django_websocket.pubsub.chores import Chores
from django_websocket.pubsub.history import PAGE_SIZE, Pages
from django_websocket.pubsub.message import BEGINNING, ZERO, Message, pack
from support.server import wait_for

from .conftest import other_process, taken


class Counting(MemoryBroker):
    """Counts readings, which wait for a signal."""

    def __init__(self):
        super().__init__()
        self.readings = 0
        self.go = threading.Event()
        self.go.set()
        self.error = None

    def read(self, positions, limit=None):
        self.readings += 1
        self.go.wait(30)
        if self.error is not None:
            raise self.error
        return super().read(positions, limit)


@pytest.fixture
def broker():
    return Counting()


@pytest.fixture
def chores():
    chores = Chores()
    yield chores
    chores.close()


@pytest.fixture
def pages(broker, chores):
    return Pages(broker, chores)


@pytest.fixture
def room():
    return Channel("room")


def publish(broker, *values):
    return [broker.publish("room", pack(value), 10_000, 60) for value in values]


def walk(pages, channel, since):
    """Every page from a position on."""
    found = [pages.get(channel, since)]
    while found[-1].more:
        found.append(pages.get(channel, found[-1].position))
    return found


def data(found):
    return ["gap" if m.gap else m.data for page in found for m in page.messages]


@pytest.mark.parametrize("size", [1, 1000, 8192, 100_000, 600_000])
def test_pages_are_of_a_size(broker, pages, room, size):
    texts = [f"{number:03}" + "x" * size for number in range(100)]
    publish(broker, *texts)
    found = walk(pages, room, BEGINNING)
    assert data(found) == texts
    assert all(page.size < PAGE_SIZE + size + 1000 for page in found)
    assert len(found) <= 8 + 100 * size // (PAGE_SIZE // 3)


def test_those_who_ask_for_the_same_get_the_same(broker, pages, room):
    publish(broker, *range(1000))
    first = walk(pages, room, BEGINNING)
    readings = broker.readings
    for _ in range(100):
        assert walk(pages, room, BEGINNING) == first
    assert broker.readings == readings


def twenty_times(ask, broker):
    """Call it in as many threads, which the broker answers when the first has begun to read."""
    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    wait_for(lambda: broker.readings, "the first to read")
    broker.go.set()
    for thread in threads:
        thread.join(30)


def test_those_who_ask_at_the_same_time_wait_for_one(broker, pages, room):
    publish(broker, *range(10))
    broker.go.clear()
    found = []
    twenty_times(lambda: found.append(pages.get(room, BEGINNING)), broker)
    assert len(found) == 20
    assert len(set(map(id, found))) == 1
    assert broker.readings == 1


def test_an_error_is_everyone_s_and_over_with_the_next(broker, pages, room):
    broker.go.clear()
    broker.error = BrokerError("away")
    errors = []

    def ask():
        try:
            pages.get(room, BEGINNING)
        except BrokerError as error:
            errors.append(str(error))

    twenty_times(ask, broker)
    assert errors == ["away"] * 20
    broker.error = None
    assert pages.get(room, BEGINNING).messages == []


def test_a_page_is_read_again_for_what_came_later(broker, pages, room):
    ids = publish(broker, 0)
    assert pages.get(room, ids[0]).messages == []
    room.position = publish(broker, 1)[0]  # has been delivered here
    assert data([pages.get(room, ids[0])]) == [1]


def test_pages_are_forgotten(broker, pages, room):
    ids = set(publish(broker, *range(100)))

    def messages():
        gc.collect()
        return [m for m in gc.get_objects() if type(m) is Message and m.id in ids]

    walk(pages, room, BEGINNING)
    wait_for(lambda: not messages(), "the pages to be forgotten")


def test_what_waits_for_others_is_bounded(broker, pages, room):
    publish(broker, *["x" * 100_000 for _ in range(500)])
    walk(pages, room, BEGINNING)
    kept = sum(reading.page.size for reading in pages._readings.values())
    assert kept <= 16 * 1024 * 1024 + PAGE_SIZE


def test_what_was_trimmed_between_two_pages_is_a_gap(broker, pages, room):
    ids = publish(broker, *range(500))
    page = pages.get(room, BEGINNING)
    broker.publish("room", pack("last"), 10, 60)
    found = walk(pages, room, page.position)
    assert found[0].messages[0].gap
    assert found[0].messages[0].id == ids[490]
    assert data(found)[1:] == [*range(491, 500), "last"]


def test_live_messages_during_a_long_replay_come_after_it(process):
    process.publish("room", *[f"{n} {'x' * 1000}" for n in range(500)])
    numbers = []
    reader = process.reader()

    def replay(message):
        numbers.append(int(message.data.split()[0]))
        if len(numbers) % 50 == 0 and len(numbers) <= 500:
            process.publish("room", f"{500 + len(numbers) // 50 - 1} live")

    process.dispatcher.follow(reader, "room", BEGINNING, replay)
    process.publish("room", "510 live")
    numbers += [int(text.split()[0]) for text in taken(reader, 511 - len(numbers))]
    assert numbers == list(range(511))
    process.dispatcher.leave(reader, "room")


def test_a_reader_keeps_a_page_at_a_time(process):
    process.publish("room", *["x" * 10_000 for _ in range(500)])
    reader = process.reader("room", since=BEGINNING, limit=400_000)
    longest = 0
    for _ in range(500):
        assert reader.receive(10).data == "x" * 10_000
        longest = max(longest, reader._size)
    assert longest < 400_000 + 2 * PAGE_SIZE
    process.publish("room", "live")
    assert taken(reader, 1) == ["live"]


def test_a_busy_channel_does_not_keep_another_s_history_waiting(process):
    process.publish("old", *[f"{n} {'x' * 1000}" for n in range(1000)])
    reader = process.reader("busy")
    reader.subscribe("old", BEGINNING)
    read = 0
    while read < 1000:
        process.publish("busy", "x")
        read += reader.receive(10).channel == "old"
    assert read == 1000


def test_many_who_come_back_to_redis_read_it_about_as_often_as_one(redis):
    with other_process(redis.url) as process:
        process.publish("room", *["x" * 8000 for _ in range(1000)])
        counts = []
        for readers in (1, 50):
            redis.call("CONFIG", "RESETSTAT")
            for _ in range(readers):
                found = []
                reader = process.reader()
                process.dispatcher.follow(reader, "room", ZERO, found.append)
                process.dispatcher.leave(reader, "room")
                assert len(found) == 1000
            calls = redis.call("INFO", "commandstats").get("cmdstat_xrange", {"calls": 0})
            counts.append(calls["calls"])
        assert counts[0] < 60
        assert counts[1] < 10 * counts[0]
