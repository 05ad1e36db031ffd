"""A timer wheel alone, on the hub of this thread."""

import gc
import threading
import time
import weakref

import gevent
import pytest
from gevent import get_hub

from django_websocket.connection.timerwheel import TICK, TimerWheel, wheel_of
from support.pair import until


@pytest.fixture
def wheel():
    wheel = TimerWheel()
    yield wheel
    assert wheel._timer is None


@pytest.fixture
def add(wheel):
    def add(owner, seconds, action):
        return wheel.add(get_hub().loop, owner, seconds, action)

    return add


def test_deadlines_pass_in_order_never_early_and_a_tick_late_at_most_when_idle(wheel, add):
    began, passed = time.monotonic(), []
    for seconds in (0.3, 0.0, 0.15):
        add(seconds, seconds, lambda seconds=seconds: passed.append((seconds, time.monotonic())))
    assert len(wheel) == 3
    until(lambda: len(passed) == 3)
    assert [seconds for seconds, _ in passed] == [0.0, 0.15, 0.3]
    assert all(at - began >= seconds for seconds, at in passed)
    assert not wheel


def test_what_is_removed_is_not_called(wheel, add):
    passed = []
    slot = add("one", 0.0, lambda: passed.append("one"))
    add("two", 0.0, lambda: passed.append("two"))
    wheel.remove(slot, "one")
    wheel.remove(slot, "one")
    until(lambda: passed)
    assert passed == ["two"]
    wheel.remove(slot, "two")  # too late, and no harm


def test_an_earlier_deadline_does_not_wait_for_a_later_one(wheel, add):
    passed = []
    slot = add("late", 60.0, lambda: passed.append("late"))
    add("soon", 0.0, lambda: passed.append("soon"))
    until(lambda: passed)
    assert passed == ["soon"]
    wheel.remove(slot, "late")


def test_a_deadline_may_set_the_next(wheel, add):
    passed = []

    def again():
        passed.append(time.monotonic())
        if len(passed) < 3:
            add("one", 0.0, again)

    add("one", 0.0, again)
    until(lambda: len(passed) == 3)


def test_a_deadline_may_remove_the_others(wheel, add):
    passed, slots = [], {}

    def first(owner):
        passed.append(owner)
        for other, slot in slots.items():
            wheel.remove(slot, other)

    for owner in "abc":
        slots[owner] = add(owner, 0.0, lambda owner=owner: first(owner))
    until(lambda: passed)
    gevent.sleep(2 * TICK)
    assert len(passed) == 1


def test_many_deadlines_at_once_leave_room_for_others(wheel, add):
    """After 5 ms the hub looks at I/O and at who can run."""
    passed, between = [], []
    for number in range(20):
        add(number, 0.0, lambda: (time.sleep(0.004), passed.append(1)))

    def other():
        while len(passed) < 20:
            between.append(len(passed))
            gevent.sleep(0.001)

    gevent.spawn(other).join()
    assert len({count for count in between if count}) >= 5


def test_an_action_that_fails_costs_no_other(wheel, add, capsys):
    passed = []
    add("one", 0.0, lambda: 1 / 0)
    add("two", 0.0, lambda: passed.append("two"))
    add("three", 0.15, lambda: passed.append("three"))
    until(lambda: len(passed) == 2)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_hub_that_has_had_deadlines_is_not_kept():
    hubs = []

    def live():
        hub = get_hub()
        hubs.append(weakref.ref(hub))
        wheel = wheel_of(hub)
        assert wheel_of(hub) is wheel
        wheel.remove(wheel.add(hub.loop, "one", 60.0, print), "one")
        hub.destroy(destroy_loop=True)

    thread = threading.Thread(target=live)
    thread.start()
    thread.join()
    until(lambda: gc.collect() is not None and hubs[0]() is None)
