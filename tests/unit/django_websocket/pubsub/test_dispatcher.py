import itertools
import logging
import signal
import threading
import time

import pytest

from django_websocket.errors import BrokerError
from django_websocket.metrics import counters
from django_websocket.pubsub.brokers.memory import MemoryBroker
from django_websocket.pubsub.dispatcher import Dispatcher
from django_websocket.pubsub.message import BEGINNING, ZERO, pack
from django_websocket.pubsub.reader import Reader
from support.server import PATIENCE, wait_for

from .conftest import other_process, taken


def test_everyone_gets_every_message_once_and_in_order(process):
    readers = [process.reader("room") for _ in range(3)]
    process.publish("room", *range(10))
    for reader in readers:
        assert taken(reader, 10) == list(range(10))


def test_while_the_broker_calls_it_asks_nothing_of_the_broker():
    class Counting(MemoryBroker):
        reads = 0

        def read(self, *args):
            self.reads += 1
            return super().read(*args)

    broker = Counting()
    dispatcher = Dispatcher(broker)
    reader = Reader(dispatcher, 1 << 20, PATIENCE, None)
    reader.subscribe("room")
    broker.unsubscribe("room")  # so that it does not deliver by itself
    for payload in (pack("missed"), pack("arrived")):
        broker.publish("room", payload, 10, 60)
    arrived = broker.read([("room", ZERO)])[0].entries[-1]
    before = broker.reads
    wanted = dispatcher.message("room", arrived)
    assert broker.reads == before
    broker.answer(wanted)
    assert taken(reader, 2) == ["missed", "arrived"]
    assert dispatcher.message("room", arrived) is None
    dispatcher.close()


def test_without_since_a_member_gets_what_comes_from_now_on(process):
    process.reader("room")
    process.publish("room", "before")
    reader = process.reader("room")
    process.publish("room", "after")
    assert taken(reader, 1) in (["after"], ["before"])


def test_since_goes_on_after_that_message(process):
    ids = process.publish("room", 0, 1, 2)
    reader = process.reader("room", since=ids[0])
    process.publish("room", 3)
    assert taken(reader, 3) == [1, 2, 3]


def test_the_position_that_a_subscription_gives_can_be_gone_on_from(process):
    position = process.reader().subscribe("room")
    process.publish("room", "first")
    assert taken(process.reader("room", since=position), 1) == ["first"]
    assert position == ZERO


def test_the_beginning_is_all_that_is_kept(process):
    process.publish("room", *range(500), history=10)
    reader = process.reader("room", since=BEGINNING)
    first = taken(reader, 1)[0]
    assert 250 < first <= 490
    assert taken(reader, 499 - first) == list(range(first + 1, 500))


def test_a_trimmed_history_begins_with_a_gap(process):
    ids = process.publish("room", *range(500), history=10)
    reader = process.reader("room", since=ids[0])
    gap = reader.receive(PATIENCE)
    assert gap.gap
    rest = taken(reader, 499 - ids.index(gap.id))
    assert rest == list(range(ids.index(gap.id) + 1, 500))


def test_what_was_not_kept_is_a_gap(process):
    [first] = process.publish("room", 0)
    process.publish("room", "not kept", history=0)
    process.publish("room", 2)
    process.publish("room", "not kept either", history=0)
    assert taken(process.reader("room", since=first), 3) == ["gap", 2, "gap"]


@pytest.mark.parametrize("since", ["nonsense", "1767225600000-000000", "9999999999999-999999"])
def test_an_id_that_nobody_had_is_followed_by_a_gap(process, since):
    process.publish("room", 0, 1)
    assert taken(process.reader("room", since=since), 1) == ["gap"]


def test_nothing_is_lost_or_doubled_between_history_and_now(process):
    """Members join with ``since`` while another thread publishes."""
    [start] = process.publish("room", -1)
    numbers, stop = itertools.count(), threading.Event()

    def work():
        while not stop.is_set():
            process.publish("room", next(numbers), history=1_000_000)
            time.sleep(0)  # where threads are greenlets, nobody else had a turn

    thread = threading.Thread(target=work)
    thread.start()
    readers = [process.reader("room", since=start) for _ in range(20)]
    stop.set()
    thread.join()
    count = next(numbers)
    for reader in readers:
        assert taken(reader, count) == list(range(count))
        with pytest.raises(TimeoutError):
            reader.receive(0)


def test_what_is_published_during_a_replay_comes_after_it(process):
    [start] = process.publish("room", -1)
    process.publish("room", 0)
    reader, replayed = process.reader(), []

    def replay(message):
        replayed.append(message.data)
        if message.data == 0:
            process.publish("room", 1, 2, 3, 4, 5)

    process.dispatcher.follow(reader, "room", start, replay)
    process.publish("room", 6)
    assert replayed + taken(reader, 7 - len(replayed)) == list(range(7))
    process.dispatcher.leave(reader, "room")


def test_who_has_left_hears_nothing(process):
    reader, other = process.reader("room"), process.reader("room")
    reader.unsubscribe("room")
    process.publish("room", 0)
    assert taken(other, 1) == [0]
    with pytest.raises(TimeoutError):
        reader.receive(0)


def test_a_channel_can_be_left_and_joined_again_and_again(process):
    for number in range(30):
        reader = process.reader("room")
        process.publish("room", number)
        assert taken(reader, 1)[0] == number
        reader.close()


def test_one_connection_listens_however_many_channels_and_members_there_are(redis, processes):
    one, other = processes
    for number in range(50):
        one.reader(f"room{number}")
        one.reader(f"room{number}")
    assert redis.listeners() == 1
    other.reader("room0")
    assert redis.listeners() == 2


def test_processes_hear_each_other(processes):
    one, other = processes
    readers = [one.reader("room"), other.reader("room")]
    one.publish("room", 0)
    other.publish("room", 1)
    for reader in readers:
        assert taken(reader, 2) == [0, 1]


def test_what_was_missed_while_cut_off_comes_first(redis, process_on_redis):
    readers = {f"room{n}": process_on_redis.reader(f"room{n}") for n in range(20)}
    for channel in readers:
        process_on_redis.publish(channel, 0)
    redis.cut_off()
    with other_process(redis.hidden_url) as other:
        for channel in readers:
            other.publish(channel, 1, 2)
    redis.mend()
    for channel in readers:
        process_on_redis.publish(channel, 3)
    for reader in readers.values():
        assert taken(reader, 4) == [0, 1, 2, 3]


def test_a_restart_is_survived(redis, process_on_redis):
    reader = process_on_redis.reader("room")
    process_on_redis.publish("room", 0)
    outages = counters.outages
    redis.kill()
    redis.start()
    process_on_redis.publish("room", 1)
    assert taken(reader, 2) == [0, 1]
    assert counters.outages == outages + 1


def test_broken_connections_are_made_again(redis, processes):
    listening, publishing = processes
    reader = listening.reader("room")
    for number in range(5):
        publishing.publish("room", number)
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    publishing.publish("room", 5)
    assert taken(reader, 6) == [0, 1, 2, 3, 4, 5]


def test_an_outage_that_outlives_the_history_is_a_gap(redis, process_on_redis):
    reader = process_on_redis.reader("room")
    process_on_redis.publish("room", "seen")
    assert taken(reader, 1) == ["seen"]
    redis.cut_off()
    with other_process(redis.hidden_url) as other:
        ids = other.publish("room", *range(500), history=10)
    redis.mend()
    gap = reader.receive(PATIENCE)
    assert gap.gap
    after = ids.index(gap.id) + 1
    assert taken(reader, 500 - after) == list(range(after, 500))


def test_lost_data_is_a_gap(redis, process_on_redis):
    reader = process_on_redis.reader("room")
    process_on_redis.publish("room", "lost")
    assert taken(reader, 1) == ["lost"]
    redis.kill()
    redis.forget()
    redis.start()
    assert taken(reader, 1) == ["gap"]
    process_on_redis.publish("room", "new")
    assert taken(reader, 1) == ["new"]


def test_a_redis_that_falls_silent_is_noticed_in_seconds(redis, process_on_redis, caplog):
    reader = process_on_redis.reader("room")
    began = time.monotonic()
    redis.signal(signal.SIGSTOP)
    wait_for(lambda: "no answer" in caplog.text, "the silence to be noticed")
    assert time.monotonic() - began < 8
    redis.signal(signal.SIGCONT)
    process_on_redis.publish("room", 0)
    assert taken(reader, 1) == [0]


def test_a_redis_that_is_down_at_the_start_is_waited_for(redis, process_on_redis, caplog):
    redis.kill()
    began = time.monotonic()
    with pytest.raises(BrokerError, match="does not answer"):
        process_on_redis.reader("room")
    assert time.monotonic() - began < 3
    redis.start()

    def subscribed():
        try:
            return process_on_redis.reader("room")
        except BrokerError:
            return None

    reader = wait_for(subscribed, "the subscription")
    process_on_redis.publish("room", 0)
    assert taken(reader, 1) == [0]


def test_an_outage_is_two_lines_in_the_log(redis, process_on_redis, caplog):
    caplog.set_level(logging.INFO, "django_websocket")
    process_on_redis.reader("room")
    redis.cut_off()
    wait_for(lambda: caplog.records, "the first line")
    redis.mend()
    wait_for(lambda: len(caplog.records) == 2, "the second line")
    assert "Lost unix://" in caplog.messages[0]
    assert "Reconnected to unix://" in caplog.messages[1]


def test_a_member_cannot_join_while_the_broker_is_away(redis, process_on_redis, caplog):
    reader = process_on_redis.reader("room")
    redis.cut_off()
    wait_for(lambda: "Lost" in caplog.text, "the outage to be noticed")
    with pytest.raises(BrokerError):
        process_on_redis.reader("room")
    redis.mend()
    process_on_redis.publish("room", 0)
    assert taken(reader, 1) == [0]
