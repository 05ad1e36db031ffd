"""Greenlets that use one socket at the same time; run by test_gevent.py, where threads are some."""

import contextlib
import json
import signal
import time

import gevent
import pytest
from gevent import monkey

from django_websocket.database import release_when_waiting
from django_websocket.errors import BrokerError, ConnectionClosed
from django_websocket.pubsub import presence, publish, subscribe
from django_websocket.pubsub.message import ZERO
from django_websocket.pubsub.process import get_dispatcher
from django_websocket.pubsub.subscriptions import Subscriptions
from support.pair import connection, until
from support.server import PATIENCE

pytestmark = pytest.mark.skipif(
    not monkey.is_module_patched("threading"), reason="threads are no greenlets"
)


@pytest.fixture(autouse=True)
def on_redis(settings, redis):
    settings.WEBSOCKET_PRESENCE_LINGER = 0
    settings.WEBSOCKET_BROKER = redis.url
    yield
    settings.WEBSOCKET_BROKER = "memory://"


@pytest.fixture
def pair():
    with connection(send_buffer_size=50_000) as found:
        websocket, _ = found
        websocket._subscriptions = Subscriptions(websocket, get_dispatcher)
        yield found
        websocket._subscriptions.close()


@pytest.fixture
def websocket(pair):
    return pair[0]


@pytest.fixture
def client(pair):
    return pair[1]


@pytest.fixture
def pause(redis):
    """Let Redis carry out nothing; call the result to let it go on."""

    def pause():
        publish("other", "the connection is there")
        redis.signal(signal.SIGSTOP)
        return lambda: redis.signal(signal.SIGCONT)

    return pause


def heard(client, count):
    return [json.loads(client.receive()[1])["data"] for _ in range(count)]


def held():
    return set(get_dispatcher()._channels)


def waits(*greenlets):
    gevent.sleep(0.1)
    return not any(greenlet.dead for greenlet in greenlets)


def test_who_subscribes_at_the_same_time_subscribes_once(websocket, client, pause):
    publish("room", "before")
    go_on = pause()
    tasks = [gevent.spawn(websocket.subscribe, "room", "0") for _ in range(5)]
    assert waits(*tasks)
    go_on()
    assert len({task.get(timeout=30) for task in tasks}) == 1
    assert heard(client, 1) == ["before"]
    publish("room", "after")
    publish("room", "end")
    assert heard(client, 2) == ["after", "end"]
    websocket.unsubscribe("room")
    assert held() == set()


@pytest.mark.parametrize("call", ["subscribe", "watch"])
def test_all_get_the_same_error_and_nothing_is_left(websocket, redis, call):
    redis.kill()
    tasks = [gevent.spawn(getattr(websocket, call), "room") for _ in range(5)]
    gevent.joinall(tasks, timeout=30)
    assert {str(task.exception) for task in tasks} == {str(tasks[0].exception)}
    assert isinstance(tasks[0].exception, BrokerError)
    assert held() == set()
    redis.start()
    with gevent.Timeout(30):
        while True:
            try:
                websocket.subscribe("room")
                break
            except BrokerError:
                gevent.sleep(0.1)
    assert held() == {"room"}


def test_who_unsubscribes_meanwhile_undoes_it(websocket, client, pause):
    go_on = pause()
    tasks = [gevent.spawn(websocket.subscribe, "room") for _ in range(2)]
    assert waits(*tasks)
    websocket.unsubscribe("room")
    go_on()
    gevent.joinall(tasks, timeout=30, raise_error=True)
    assert held() == set()
    websocket.subscribe("room")
    publish("room", "once")
    publish("room", "end")
    assert heard(client, 2) == ["once", "end"]


def test_a_replay_that_is_undone_ends(websocket, client):
    for number in range(200):
        publish("room", f"{number} {'x' * 10_000}")
    task = gevent.spawn(websocket.subscribe, "room", "0")
    assert waits(task)  # for a client that does not read
    websocket.unsubscribe("room")
    numbers = []
    while not task.dead:
        numbers += heard(client, 1)
        gevent.sleep(0)
    assert task.successful()
    assert len(numbers) < 200
    assert held() == set()


@pytest.mark.parametrize("call", ["subscribe", "watch", "enter"])
def test_what_stands_after_the_end_is_undone(websocket, pause, call):
    go_on = pause()
    arguments = ("room", "Ada") if call == "enter" else ("room",)
    tasks = [gevent.spawn(getattr(websocket, call), *arguments) for _ in range(3)]
    assert waits(*tasks)
    websocket._subscriptions.close()
    go_on()
    gevent.joinall(tasks, timeout=30)
    assert {type(task.exception) for task in tasks} == {ConnectionClosed}
    assert held() == set()
    until(lambda: presence("room") == {})


@pytest.mark.parametrize("call", ["subscribe", "watch", "enter"])
def test_the_client_s_end_is_the_end_of_all_also_while_the_view_goes_on(websocket, client, call):
    arguments = ("room", "Ada") if call == "enter" else ("room",)
    websocket.subscribe("other")
    websocket.enter("other", "Ada")
    getattr(websocket, call)(*arguments)
    client.sock.close()
    until(lambda: not held() and not presence("room") and not presence("other"))
    with pytest.raises(ConnectionClosed):
        getattr(websocket, call)("another", *arguments[1:])
    assert held() == set()
    websocket.unsubscribe("room")
    websocket.unwatch("room")
    websocket.leave("room")


def test_a_replay_for_a_client_that_has_gone_ends(websocket, client):
    for number in range(200):
        publish("room", f"{number} {'x' * 10_000}")
    task = gevent.spawn(websocket.subscribe, "room", "0")
    assert waits(task)
    client.sock.close()
    task.join(30)
    assert isinstance(task.exception, ConnectionClosed)
    assert held() == set()


def test_names_change_one_after_the_other(websocket, pause):
    go_on = pause()
    tasks = [gevent.spawn(websocket.enter, "room", name) for name in ("Ada", "Grace", "Linus")]
    assert waits(*tasks)
    go_on()
    gevent.joinall(tasks, timeout=30, raise_error=True)
    assert presence("room") == {"Linus": 1}
    websocket.leave("room")
    assert presence("room") == {}


def test_leaving_comes_after_entering(websocket, pause):
    go_on = pause()
    tasks = [gevent.spawn(websocket.enter, "room", "Ada")]
    assert waits(*tasks)
    tasks.append(gevent.spawn(websocket.leave, "room"))
    tasks.append(gevent.spawn(websocket.enter, "room", "Grace"))
    tasks.append(gevent.spawn(websocket.leave, "room"))
    go_on()
    gevent.joinall(tasks, timeout=30, raise_error=True)
    assert presence("room") == {}
    assert websocket._subscriptions._turns == {}


def test_a_change_of_name_that_fails_changes_nothing(websocket, redis, pause):
    websocket.enter("room", "Ada")
    redis.cut_off()
    tasks = [gevent.spawn(websocket.enter, "room", name) for name in ("Grace", "Linus")]
    gevent.joinall(tasks, timeout=30)
    assert {type(task.exception) for task in tasks} == {BrokerError}
    redis.mend()
    until(lambda: _presence() == {"Ada": 1})
    websocket.enter("room", "Joan")
    assert presence("room") == {"Joan": 1}
    websocket._subscriptions.close()
    until(lambda: _presence() == {})


@pytest.mark.parametrize("names", [["Ada"], ["Ada", "Grace", None]])
def test_those_who_change_a_name_wait_for_a_silent_broker_together(websocket, pause, names):
    websocket.enter("room", "Joan")
    go_on = pause()
    began = time.monotonic()
    tasks = [_changing(websocket, names[number % len(names)]) for number in range(30)]
    gevent.joinall(tasks, timeout=30, raise_error=True)
    assert time.monotonic() - began < 3
    go_on()
    websocket.enter("room", "Linus")
    until(lambda: _presence() == {"Linus": 1})
    assert websocket._subscriptions._turns == {}


def _changing(websocket, name):
    def change():
        with contextlib.suppress(BrokerError):
            websocket.leave("room") if name is None else websocket.enter("room", name)

    return gevent.spawn(change)


def _presence():
    try:
        return presence("room")
    except BrokerError:
        return None


def test_who_waits_for_one_that_is_killed_tries_for_itself(websocket, pause):
    go_on = pause()
    first = gevent.spawn(websocket.subscribe, "room")
    second = gevent.spawn(websocket.subscribe, "room")
    assert waits(first, second)
    first.kill()
    assert waits(second)
    go_on()
    assert second.get(timeout=30) == ZERO
    assert held() == {"room"}


def test_a_timeout_of_the_view_s_own_leaves_nothing_behind(websocket, pause):
    go_on = pause()
    for call, *arguments in ((websocket.subscribe, "room"), (websocket.enter, "room", "Ada")):
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.1):
            call(*arguments)
    go_on()
    assert held() == set()
    until(lambda: _presence() == {})


def read(websocket, timeout=None):
    """A view that does nothing but read a channel."""
    release_when_waiting(websocket)
    with subscribe("room", timeout=timeout) as messages:
        return [message.data for message in messages]


@pytest.mark.parametrize("end", ["client", "view"])
def test_a_reader_in_a_view_ends_with_the_client(websocket, client, end):
    task = gevent.spawn(read, websocket)
    until(lambda: held() == {"room"})
    assert waits(task)
    client.sock.close() if end == "client" else websocket.close()
    task.join(30)
    assert isinstance(task.exception, ConnectionClosed)
    assert held() == set()
    again = gevent.spawn(read, websocket, 1)  # a view that loops over this ends, too
    again.join(30)
    assert isinstance(again.exception, ConnectionClosed)


def test_a_reader_in_a_view_holds_no_database_connection_while_it_waits(websocket):
    released = []
    websocket._before_wait = lambda: released.append(True)
    assert gevent.spawn(read, websocket, 0.05).get(timeout=30) == []
    assert released


def test_a_reader_subscribes_once_whoever_asks_at_the_same_time(pause):
    with subscribe() as reader:
        go_on = pause()
        tasks = [gevent.spawn(reader.subscribe, "room", "0") for _ in range(3)]
        assert waits(*tasks)
        go_on()
        gevent.joinall(tasks, timeout=PATIENCE, raise_error=True)
        publish("room", "once")
        assert reader.receive(PATIENCE).data == "once"
    assert held() == set()


@pytest.mark.parametrize("end", [lambda it: it.unsubscribe("room"), lambda it: it.close()])
def test_what_a_reader_drops_meanwhile_is_dropped(pause, end):
    with subscribe() as reader:
        go_on = pause()
        task = gevent.spawn(reader.subscribe, "room")
        assert waits(task)
        dropping = gevent.spawn(end, reader)
        go_on()
        gevent.joinall([task, dropping], timeout=PATIENCE, raise_error=True)
        assert held() == set()


def test_a_page_that_comes_too_late_lets_nobody_in(pause):
    """Others here read the channel; what comes of it is not this reader's any more."""
    for number in range(600):
        publish("room", number)
    with subscribe("room"), subscribe("room", since="0") as reader:
        go_on = pause()
        task = gevent.spawn(lambda: [reader.receive(0.2) for _ in range(600)])
        assert waits(task)
        reader.unsubscribe("room")
        go_on()
        with pytest.raises(TimeoutError):
            task.get(timeout=PATIENCE)
        publish("room", "others'")
        with pytest.raises(TimeoutError):
            reader.receive(0.2)


def test_a_closed_reader_says_so():
    with subscribe("room") as reader:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        reader.subscribe("room")
    assert held() == set()


def test_a_reader_of_nobody_s_socket_goes_on(websocket, client):
    task = gevent.spawn(read, websocket)
    with subscribe("room") as messages:
        client.sock.close()
        task.join(30)
        publish("room", "still here")
        assert messages.receive(10).data == "still here"
