"""The one dispatcher of a process."""

import os
import threading

import pytest
from django.test import override_settings

from django_websocket.errors import ImproperSetting
from django_websocket.pubsub.process import get_dispatcher


@pytest.fixture(autouse=True)
def in_memory():
    with override_settings(WEBSOCKET_BROKER="memory://"):
        yield


def test_threads_that_need_it_at_once_get_the_same():
    found, together = [], threading.Barrier(8)

    def need():
        together.wait()
        found.append(get_dispatcher())

    threads = [threading.Thread(target=need) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {get_dispatcher()}


def test_another_broker_is_another_dispatcher():
    before = get_dispatcher()
    with override_settings(WEBSOCKET_BROKER="memory://"):
        assert get_dispatcher() is not before


def test_a_broker_that_is_none_is_named():
    with (
        override_settings(WEBSOCKET_BROKER="carrier-pigeon://loft"),
        pytest.raises(ImproperSetting, match="carrier-pigeon"),
    ):
        get_dispatcher()


def test_a_child_process_has_one_of_its_own():
    before = get_dispatcher()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if get_dispatcher() is not before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert get_dispatcher() is before
