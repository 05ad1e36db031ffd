"""What is done later, in a thread of its own, with tasks of the test's."""

import logging
import threading
import time

import pytest

from django_websocket.errors import BrokerError, ChannelError
from django_websocket.pubsub.chores import Chores
from support.server import PATIENCE, wait_for


@pytest.fixture
def chores():
    chores = Chores()
    yield chores
    chores.close()


class Task:
    """Raises these errors, one a call, and then succeeds."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0
        self.done = threading.Event()

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.done.set()


def test_a_task_is_called_once_and_not_before_its_time(chores):
    task = Task()
    began = time.monotonic()
    chores.call("later", task, 0.1)
    assert task.done.wait(PATIENCE)
    assert time.monotonic() - began >= 0.1
    last = Task()
    chores.call("last", last, 0.05)
    assert last.done.wait(PATIENCE)
    assert task.calls == 1


def test_an_earlier_time_replaces_a_later_one(chores):
    first, second = Task(), Task()
    chores.call("key", first, 3600)
    chores.call("key", second)
    assert second.done.wait(PATIENCE)
    assert first.calls == 0


def test_the_newest_task_of_a_key_is_called_at_the_earliest_time(chores):
    first, second = Task(), Task()
    chores.call("key", first, 0.1)
    chores.call("key", second, 3600)
    assert second.done.wait(PATIENCE)
    assert first.calls == 0


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(1), ChannelError("broken")])
def test_what_fails_is_tried_again_and_holds_nobody_else_up(chores, caplog, error):
    failing, other = Task(error), Task()
    with caplog.at_level(logging.INFO, "django_websocket"):
        chores.call("Could not announce", failing)
        chores.call("other", other)
        assert other.done.wait(PATIENCE)
        assert failing.done.wait(PATIENCE)
        wait_for(lambda: "Could not announce: it works again" in caplog.text)
    assert failing.calls == 2
    assert "trying again until it works" in caplog.text


def test_a_broker_that_is_away_is_logged_once_for_all(chores, caplog):
    first, second = (Task(*[BrokerError("away")] * 2) for _ in range(2))
    with caplog.at_level(logging.INFO, "django_websocket"):
        chores.call("first", first)
        chores.call("second", second)
        assert first.done.wait(PATIENCE)
        assert second.done.wait(PATIENCE)
        wait_for(lambda: "The broker is back" in caplog.text)
    assert caplog.text.count("The broker is unreachable") == caplog.text.count("The broker is back")


def test_the_end_waits_for_the_task_under_way_and_for_none_to_come(chores):
    begun, ended = threading.Event(), []

    def slow():
        begun.set()
        time.sleep(0.2)
        ended.append(True)

    never = Task()
    chores.call("slow", slow)
    assert begun.wait(PATIENCE)
    chores.call("never", never, 3600)
    chores.close()
    assert ended == [True]
    assert never.calls == 0
