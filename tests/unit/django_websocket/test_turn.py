"""Greenlets that wait are woken in one turn of the hub, whatever one of them does."""

import contextlib

import gevent
import pytest

from django_websocket.turn import Turn, turn_of
from support.pair import run_hub


@pytest.fixture
def turn():
    return Turn()


class Room:
    """Greenlets wait here, one list of them for each name."""

    def __init__(self, turn):
        self.turn = turn
        self.waiters = {}
        self.seen = []

    def wait(self, name):
        waiters = self.waiters.setdefault(name, [])
        waiters.append(gevent.getcurrent())
        try:
            self.turn.switch(gevent.get_hub())
        finally:
            with contextlib.suppress(ValueError):
                waiters.remove(gevent.getcurrent())

    def guest(self, name, rounds=1, then=lambda: None):
        for _ in range(rounds):
            self.wait(name)
            self.seen.append(name)
            then()

    def wake(self, *names):
        for name in names:
            self.turn.wake(self.waiters[name], gevent.get_hub().loop)


@pytest.fixture
def room(turn):
    return Room(turn)


def test_a_thread_has_one_turn():
    hub = gevent.get_hub()
    assert turn_of(hub) is turn_of(hub)
    other = gevent.get_hub().threadpool.apply(lambda: turn_of(gevent.get_hub()))
    assert other is not turn_of(hub)


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
