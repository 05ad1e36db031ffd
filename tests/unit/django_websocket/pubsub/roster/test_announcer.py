import threading

import pytest
from redis import Redis

from django_websocket.errors import BrokerError
from django_websocket.pubsub import presence_channel
from django_websocket.pubsub.brokers.memory import MemoryBroker
from support.server import PATIENCE, wait_for

from ..conftest import Process, other_process

ROOM = presence_channel("room")


@pytest.fixture(autouse=True)
def short_lives(settings):
    """A process is believed for a second and a half, and repeats its word every half second."""
    settings.WEBSOCKET_PRESENCE_TTL = 1.5
    settings.WEBSOCKET_PRESENCE_LINGER = 0.2


def people(process):
    return dict(process.dispatcher.broker.roster("room").people)


def becomes(process, expected):
    wait_for(lambda: people(process) == expected, f"{expected}, not {people(process)}")


def changes(reader, count):
    return [
        (m.data["joined"], m.data["left"]) for m in (reader.receive(PATIENCE) for _ in range(count))
    ]


def silent(reader, seconds=0.5):
    with pytest.raises(TimeoutError):
        reader.receive(seconds)
    return True


def test_who_enters_is_there_at_once_and_who_leaves_is_not(process):
    announcer, reader = process.dispatcher.announcer, process.reader(ROOM)
    announcer.enter("room", "Ada")
    announcer.enter("room", "Ada")
    assert people(process) == {"Ada": 2}
    announcer.leave("room", "Ada")
    assert people(process) == {"Ada": 1}
    announcer.leave("room", "Ada")
    assert people(process) == {}
    assert changes(reader, 2) == [(["Ada"], []), ([], ["Ada"])]


def test_a_change_of_name_is_one_change(process):
    reader = process.reader(ROOM)
    process.dispatcher.announcer.enter("room", "Ada")
    process.dispatcher.announcer.enter("room", "Countess", "Ada")
    assert people(process) == {"Countess": 1}
    assert changes(reader, 2) == [(["Ada"], []), (["Countess"], ["Ada"])]


def test_who_comes_back_in_a_moment_has_never_been_away(process):
    announcer, reader = process.dispatcher.announcer, process.reader(ROOM)
    announcer.enter("room", "Ada")
    announcer.linger("room", "Ada")
    announcer.enter("room", "Ada")
    becomes(process, {"Ada": 1})
    announcer.linger("room", "Ada")
    becomes(process, {})
    assert changes(reader, 2) == [(["Ada"], []), ([], ["Ada"])]
    assert silent(reader, 0)


def test_who_comes_back_in_another_process_has_never_been_away(processes):
    one, other = processes
    reader = one.reader(ROOM)
    one.dispatcher.announcer.enter("room", "Ada")
    one.dispatcher.announcer.linger("room", "Ada")
    other.dispatcher.announcer.enter("room", "Ada")
    becomes(one, {"Ada": 1})
    assert changes(reader, 1) == [(["Ada"], [])]
    assert silent(reader)


def test_nobody_lingers_if_so_set(process, settings):
    settings.WEBSOCKET_PRESENCE_LINGER = 0
    process.dispatcher.announcer.enter("room", "Ada")
    process.dispatcher.announcer.linger("room", "Ada")
    assert people(process) == {}


def test_many_who_enter_at_once_are_told_in_few_steps(process):
    reader = process.reader(ROOM)
    names = [f"visitor {number}" for number in range(200)]
    start = threading.Barrier(20)

    def work(part):
        start.wait()
        for name in part:
            process.dispatcher.announcer.enter("room", name)

    threads = [threading.Thread(target=work, args=(names[n::20],)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert people(process) == dict.fromkeys(names, 1)
    told = []
    while len(told) < 200:
        told += changes(reader, 1)[0][0]
    assert sorted(told) == sorted(names)


def test_a_process_that_lives_stays_there_beyond_the_time(processes):
    one, other = processes
    reader = other.reader(ROOM)
    one.dispatcher.announcer.enter("room", "Ada")
    assert changes(reader, 1) == [(["Ada"], [])]
    assert silent(reader, 3)
    assert people(other) == {"Ada": 1}


def test_the_people_of_a_dead_process_vanish_and_one_of_the_others_tells(processes):
    one, other = processes
    readers = [process.reader(ROOM) for process in processes]
    # What a process says that dies before it can say it again.
    one.dispatcher.broker.announce("room", "dead", {"Ada": 1, "Grace": 1}, 1.5, None)
    other.dispatcher.announcer.enter("room", "Grace")
    for reader in readers:
        assert changes(reader, 2) == [(["Ada", "Grace"], []), ([], ["Ada"])]
        assert silent(reader)


def test_a_process_that_only_listens_notices_too(processes):
    one, other = processes
    reader = one.reader(ROOM)
    other.dispatcher.broker.announce("room", "dead", {"Ada": 1}, 1.5, None)
    assert changes(reader, 2) == [(["Ada"], []), ([], ["Ada"])]


def test_who_ends_takes_its_people_along(processes, settings):
    settings.WEBSOCKET_PRESENCE_TTL = 60
    one, other = processes
    reader = other.reader(ROOM)
    one.dispatcher.announcer.enter("room", "Ada")
    one.dispatcher.announcer.close()
    assert changes(reader, 2) == [(["Ada"], []), ([], ["Ada"])]


def test_without_a_broker_nobody_enters_and_nothing_has_changed(redis, process_on_redis):
    process = process_on_redis
    process.dispatcher.announcer.enter("room", "Ada")
    redis.cut_off()
    with pytest.raises(BrokerError):
        process.dispatcher.announcer.enter("room", "Grace")
    with pytest.raises(BrokerError):
        process.dispatcher.announcer.enter("room", "Countess", "Ada")
    redis.mend()
    becomes(process, {"Ada": 1})


def test_who_leaves_during_an_outage_has_left_afterwards(redis, process_on_redis):
    announcer = process_on_redis.dispatcher.announcer
    for name in ("Ada", "Grace", "Linus"):
        announcer.enter("room", name)
    redis.cut_off()
    announcer.leave("room", "Ada")
    announcer.linger("room", "Grace")
    redis.mend()
    becomes(process_on_redis, {"Linus": 1})


def test_after_an_outage_that_is_longer_than_the_time_everyone_is_there_again(redis, processes):
    one, other = processes
    one.dispatcher.announcer.enter("room", "Ada")
    reader = other.reader(ROOM)
    redis.cut_off()
    with other_process(redis.hidden_url) as inside:
        becomes(inside, {})
    redis.mend()
    becomes(other, {"Ada": 1})
    assert changes(reader, 2) == [([], ["Ada"]), (["Ada"], [])]


def test_a_redis_that_has_lost_its_data_is_told_everything_again(redis, processes):
    one, other = processes
    one.dispatcher.announcer.enter("room", "Ada")
    one.dispatcher.announcer.enter("room", "Grace")
    other.dispatcher.announcer.enter("room", "Ada")
    redis.kill()
    redis.forget()
    redis.start()
    becomes(one, {"Ada": 2, "Grace": 1})


def test_a_redis_that_went_back_to_older_data_is_told_everything_again(redis, process_on_redis):
    announcer = process_on_redis.dispatcher.announcer
    announcer.enter("room", "Ada")
    with Redis.from_url(redis.url) as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
        announcer.enter("room", "Grace", "Ada")
        for key, dump in before.items():
            client.restore(key, 10_000, dump, replace=True)
    assert people(process_on_redis) == {"Ada": 1}
    becomes(process_on_redis, {"Grace": 1})


def test_a_room_that_everyone_has_left_is_forgotten():
    process = Process(MemoryBroker())
    announcer = process.dispatcher.announcer
    reader = process.reader(ROOM)
    announcer.enter("room", "Ada")
    announcer.leave("room", "Ada")
    assert announcer._rooms
    reader.close()
    wait_for(lambda: not announcer._rooms, "the room to be forgotten")
    announcer.enter("room", "Ada")
    assert people(process) == {"Ada": 1}
    process.close()
