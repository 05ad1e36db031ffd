import threading

import gevent
import pytest

from django_websocket.testing.engine import Engine, EngineStopped, greenlets_of_a_view
from support.server import PATIENCE


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.stop()


def test_a_function_runs_in_the_hub_s_thread_and_may_wait(engine):
    def work(word):
        gevent.sleep(0.001)
        return word, threading.get_ident()

    word, thread = engine.call(work, "done")
    assert word == "done"
    assert thread != threading.get_ident()


def test_its_error_is_the_caller_s(engine):
    with pytest.raises(ZeroDivisionError):
        engine.call(lambda: 1 / 0)


def test_what_it_calls_may_call_it(engine):
    assert engine.call(lambda: engine.call(lambda: "done")) == "done"


def test_what_is_only_told_comes_in_order(engine):
    found = []
    for number in range(5):
        engine.tell(found.append, number)
    engine.call(lambda: None)
    assert found == [0, 1, 2, 3, 4]


def test_a_greenlet_of_a_view_runs_while_another_waits(engine):
    found = []

    def view():
        with greenlets_of_a_view():
            go_on = gevent.event.Event()
            waiting = gevent.spawn(engine.call, gevent.sleep, PATIENCE)
            gevent.spawn(go_on.set)
            found.append(go_on.wait(PATIENCE))
            waiting.kill()

    thread = threading.Thread(target=view)
    thread.start()
    thread.join(PATIENCE)
    assert found == [True]


def test_nothing_is_left_of_it():
    threads = threading.active_count()
    engine = Engine()
    engine.stop()
    engine.tell(print)
    assert threading.active_count() == threads
    with pytest.raises(EngineStopped):
        engine.call(print)


def test_its_end_is_the_end_of_what_is_under_way(engine):
    started, outcome = threading.Event(), []

    def work():
        started.set()
        gevent.sleep(PATIENCE)

    def call():
        with pytest.raises(EngineStopped):
            engine.call(work)
        outcome.append("stopped")

    thread = threading.Thread(target=call)
    thread.start()
    assert started.wait(PATIENCE)
    engine.stop()
    thread.join(PATIENCE)
    assert outcome == ["stopped"]
