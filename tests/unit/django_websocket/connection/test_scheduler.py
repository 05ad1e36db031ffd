"""Greenlets that wait are woken in one turn of the hub, whatever one of them does."""

import contextlib
import itertools
import time

import gevent
import pytest
from gevent import socket

from django_websocket.connection.scheduler import SLICE, Scheduler, scheduler_of, share
from support.pair import run_hub


@pytest.fixture
def scheduler():
    return Scheduler()


class Room:
    """Greenlets wait here, one list of them for each name."""

    def __init__(self, scheduler):
        self.scheduler = scheduler
        self.waiters = {}
        self.seen = []

    def wait(self, name):
        waiters = self.waiters.setdefault(name, [])
        waiters.append(gevent.getcurrent())
        try:
            self.scheduler.switch(gevent.get_hub())
        except BaseException:
            self.scheduler.forget(waiters, gevent.getcurrent())
            raise

    def guest(self, name, rounds=1, then=lambda: None):
        for _ in range(rounds):
            self.wait(name)
            self.seen.append(name)
            then()

    def wake(self, *names):
        for name in names:
            self.scheduler.wake(self.waiters[name], gevent.get_hub().loop)


@pytest.fixture
def room(scheduler):
    return Room(scheduler)


def test_a_thread_has_one_scheduler():
    hub = gevent.get_hub()
    assert scheduler_of(hub) is scheduler_of(hub)
    other = gevent.get_hub().threadpool.apply(lambda: scheduler_of(gevent.get_hub()))
    assert other is not scheduler_of(hub)


def test_they_run_in_the_order_in_which_they_were_woken(room):
    for name in "abc":
        gevent.spawn(room.guest, name, rounds=2)
    run_hub()
    room.wake("c", "a", "b")
    assert room.seen == []
    run_hub()
    room.wake("b", "c", "a")
    run_hub()
    assert room.seen == ["c", "a", "b", "b", "c", "a"]


def test_several_may_wait_for_the_same(room):
    for _ in range(3):
        gevent.spawn(room.guest, "a")
    gevent.spawn(room.guest, "b")
    run_hub()
    room.wake("a", "b")
    run_hub()
    assert sorted(room.seen) == ["a", "a", "a", "b"]


def test_who_stopped_waiting_in_the_meantime_is_left_alone(room):
    def impatient():
        with gevent.Timeout(0.001, False):
            room.wait("a")
        gevent.sleep(0.05)
        room.seen.append("rested")

    guest = gevent.spawn(impatient)
    gevent.sleep(0.02)
    room.wake("a")
    guest.join()
    assert room.seen == ["rested"]


def test_one_that_waits_for_something_else_holds_nobody_up(room):
    gevent.spawn(room.guest, "a", then=lambda: gevent.sleep(0.05))
    gevent.spawn(room.guest, "b")
    run_hub()
    room.wake("a", "b")
    gevent.sleep(0.01)
    assert room.seen == ["a", "b"]


def test_an_exception_of_one_holds_nobody_up(room, capsys):
    def fail():
        raise ValueError("not mine")

    for name in "abcd":
        gevent.spawn_raw(room.guest, name, then=fail)
    run_hub()
    room.wake(*"abcd")
    run_hub()
    assert room.seen == list("abcd")
    assert capsys.readouterr().err.count("ValueError: not mine") == 4


def test_those_that_wake_look_and_wait_again_do_not_keep_the_hub_from_its_events(room):
    looks = []

    def look_again():
        looks.append("look")
        assert len(looks) < 100, "two greenlets switch to each other for ever"

    gevent.spawn(room.guest, "early", rounds=2)
    for _ in range(2):
        gevent.spawn(room.guest, "shared", rounds=100, then=look_again)
    run_hub()
    room.wake("early", "shared")
    run_hub()
    assert looks == ["look", "look"]


def test_what_is_woken_in_a_turn_runs_in_the_next_one(room):
    """A pair that wakes each other for ever lets the hub see its events all the same."""
    count = 0

    def play(mine, other):
        nonlocal count
        while count < 10_000:
            room.wait(mine)
            count += 1
            room.wake(other)

    players = [gevent.spawn(play, *names) for names in ("ab", "ba")]
    run_hub()
    room.wake("a")
    gevent.sleep(0.001)
    assert 0 < count < 10_000
    gevent.killall(players)


def test_a_killed_one_leaves_the_queue(room):
    first, second = (gevent.spawn(room.guest, "a") for _ in range(2))
    run_hub()
    second.kill(block=False)
    room.wake("a")
    gevent.joinall([first, second])
    run_hub()
    assert room.seen == ["a"]
    assert not room.scheduler._ready


# time


def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def work(scheduler, rounds, log, name):
    """Take a millisecond a piece, as a view does that is fed by a client."""
    for _ in range(rounds):
        compute(0.001)
        log.append(name)
        if scheduler.overdue():
            scheduler.give_way(gevent.get_hub())


def longest_run(log):
    return max(len(list(group)) for _, group in itertools.groupby(log))


def test_one_that_has_much_to_do_gives_way(scheduler):
    log = []
    gevent.joinall([gevent.spawn(work, scheduler, 40, log, name) for name in "ab"])
    assert longest_run(log) <= 2 * SLICE / 0.001 + 1


def test_the_hub_looks_for_events_between_two_slices(scheduler):
    ours, theirs = socket.socketpair()
    log = []

    def answer():
        for _ in range(10):
            ours.recv(1)
            log.append("event")
            ours.send(b"x")

    def ask():
        for _ in range(10):
            theirs.send(b"x")
            theirs.recv(1)

    with ours, theirs:
        busy = [gevent.spawn(work, scheduler, 200, log, "busy") for _ in range(3)]
        gevent.joinall([gevent.spawn(answer), gevent.spawn(ask)])
        assert log.count("busy") < 10 * 5 * (SLICE / 0.001)
        gevent.joinall(busy)


def test_those_that_were_woken_go_before_one_that_has_had_its_time(scheduler, room):
    gevent.spawn(work, scheduler, 100, room.seen, "busy")
    guest = gevent.spawn(room.guest, "guest", rounds=3)
    for _ in range(3):
        gevent.sleep(0.001)
        room.wake("guest")
    guest.join()
    assert longest_run(room.seen) <= 4 * SLICE / 0.001 + 1


def test_one_that_is_killed_while_others_run_does_not_come_back(scheduler):
    log = []

    def doomed():
        with contextlib.suppress(gevent.GreenletExit):
            work(scheduler, 1000, log, "doomed")
        gevent.sleep(0.02)
        log.append("rested")

    worker = gevent.spawn(doomed)
    gevent.sleep(0.001)
    worker.kill()
    assert log[-1] == "rested"
    assert not scheduler._deferred


def test_the_hub_itself_does_not_give_way(scheduler):
    done = []

    def in_the_hub():
        scheduler.give_way(gevent.get_hub())
        done.append(True)

    gevent.get_hub().loop.run_callback(in_the_hub)
    run_hub()
    assert done


def test_a_slice_begins_when_it_is_asked_for(scheduler):
    compute(2 * SLICE)
    assert not scheduler.overdue(), "the time until now may have been others'"
    compute(SLICE * 1.2)
    assert scheduler.overdue()


def test_a_loop_without_a_socket_shares_as_well():
    log = []
    scheduler_of(gevent.get_hub())

    def loop(name):
        for _ in range(40):
            compute(0.001)
            log.append(name)
            share()

    gevent.joinall([gevent.spawn(loop, name) for name in "ab"])
    assert longest_run(log) <= 2 * SLICE / 0.001 + 1


def test_sharing_needs_no_hub():
    assert gevent.get_hub().threadpool.apply(share) is None
    share()


def test_who_has_much_to_do_runs_after_the_others(room):
    def busy():
        end = time.monotonic() + 1.2 * SLICE
        while time.monotonic() < end:
            pass

    loop = gevent.get_hub().loop
    late = [f"late {number}" for number in range(4)]
    guests = [gevent.spawn(room.guest, name, then=busy) for name in late]
    guests += [gevent.spawn(room.guest, name) for name in ("first", "second")]
    run_hub()
    for name in late:
        room.scheduler.wake_late(room.waiters[name], loop)
    room.wake("first")
    # Comes while they run, and need not wait until all of them have.
    timer = gevent.spawn(lambda: (gevent.sleep(SLICE), room.wake("second")))
    gevent.joinall([*guests, timer])
    assert room.seen[:2] == ["first", "late 0"]
    assert [name for name in room.seen if name in late] == late
    assert room.seen.index("second") < len(room.seen) - 1


def test_who_is_killed_while_it_is_to_run_late_runs_no_more(room):
    guest = gevent.spawn(room.guest, "guest")
    run_hub()
    guest.kill(block=False)
    room.scheduler.wake_late(room.waiters["guest"], gevent.get_hub().loop)
    run_hub()
    assert room.seen == []
    assert guest.dead
