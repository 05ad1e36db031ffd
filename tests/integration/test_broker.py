"""A Redis that is not there, does not know us or is full: what fails, what does not, what is said.

And how many connections it sees.
"""

import contextlib
import json
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
import redis

from support.outages import kill_gunicorns
from support.raw_http import HANDSHAKE, compose, get
from support.redis import DURABLE, Redis
from support.stack import PATIENCE, needs_our_worker, probed_stack, wait_for

pytestmark = needs_our_worker

PROGRAMS = ("http-1", "http-2", "websocket-1", "websocket-2")


@pytest.fixture(scope="module")
def broker():
    """A Redis with a password that has not been started."""
    folder = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
    server = Redis(folder, *DURABLE, "--requirepass", "right")
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory, broker):
    """The shipped stack before that Redis."""
    state = tmp_path_factory.mktemp("stack") / "state"
    stack = probed_stack(state, REDIS_URL=url_of(broker, "right"))
    yield stack.start()
    stack.stop()


@pytest.fixture
def whole(own_stack, broker):
    """The same, once Redis runs."""
    if not is_ready(own_stack):
        start(broker, own_stack)
    return own_stack


def start(broker, stack):
    broker.start()
    wait_for(lambda: is_ready(stack), "the stack to find Redis")


def url_of(broker, password):
    return broker.url.replace("unix://", f"unix://:{password}@")


def is_ready(stack):
    return [readiness(stack, program) for program in PROGRAMS] == [200] * len(PROGRAMS)


def readiness(stack, program):
    """The status of /readyz?check=broker of one gunicorn."""
    return get(stack.state / "run" / f"{program}.sock", "/readyz?check=broker").status


def publish(stack, text):
    """The status of a page that publishes."""
    headers = [("Content-Length", str(len(text)))]
    target = "/probe/announce/?channel=room"
    return get(stack.port, target, headers, method="POST", body=text.encode()).status


@contextlib.contextmanager
def listen(stack):
    client = stack.connect("/probe/feed/?channel=room&since=0")
    yield client
    client.shutdown()


def hear(client, text):
    while json.loads(client.recv()).get("data") != text:
        pass


def fails_gently(stack, sentence):
    """No page fails but the one that publishes; readiness and logs say what is wrong."""
    assert publish(stack, "in vain") == 503
    assert get(stack.port, "/chat/").status == 200
    assert get(stack.port, "/probe/").status == 200
    assert [readiness(stack, program) for program in PROGRAMS] == [503] * len(PROGRAMS)
    for program in PROGRAMS:
        wait_for(lambda program=program: says(stack, program, sentence), f"{program}'s log")


def says(stack, program, sentence):
    """Whether a line of the log tells that it is not ready, and why."""
    lines = stack.log(program).splitlines()
    return any("Not ready" in line and sentence in line for line in lines)


def test_redis_is_down_when_the_gunicorns_start(own_stack, broker):
    broker.kill()
    kill_gunicorns(own_stack, "http")
    kill_gunicorns(own_stack, "websocket")
    own_stack.wait_until_whole()
    fails_gently(own_stack, broker.url)
    with listen(own_stack) as client:
        assert client.recv_data()[1][:2] == (1013).to_bytes(2, "big")
    start(broker, own_stack)
    with listen(own_stack) as client:
        assert publish(own_stack, "here it is") == 200
        hear(client, "here it is")


def test_redis_has_another_password(whole, broker):
    with listen(whole) as client:
        assert publish(whole, "before") == 200
        hear(client, "before")
        set_password(broker, "right", "other")
        wait_for(lambda: publish(whole, "meanwhile") == 503, "the password to count")
        fails_gently(whole, "password")
        assert all("right" not in whole.log(program) for program in PROGRAMS)
        set_password(broker, "other", "right")
        wait_for(lambda: publish(whole, "afterwards") == 200, "the password to count")
        hear(client, "afterwards")
        wait_for(lambda: is_ready(whole), "the stack to find Redis")


def set_password(broker, old, new):
    with redis.Redis.from_url(url_of(broker, old)) as client:
        client.config_set("requirepass", new)
        for kind in ("pubsub", "normal"):
            client.client_kill_filter(_type=kind, skipme=True)


def test_redis_is_full(whole, broker):
    with (
        redis.Redis.from_url(url_of(broker, "right")) as redis_client,
        listen(whole) as client,
    ):
        assert publish(whole, "before") == 200
        hear(client, "before")
        redis_client.config_set("maxmemory", "1")
        fails_gently(whole, "maxmemory")
        redis_client.config_set("maxmemory", "0")
        assert publish(whole, "afterwards") == 200
        hear(client, "afterwards")
        assert is_ready(whole)


def test_a_thousand_sockets_are_one_listener_for_each_process(whole, broker):
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            stack.enter_context(open_feed(whole, number))
        with redis.Redis.from_url(url_of(broker, "right")) as client:
            listeners = client.client_list(_type="pubsub")
        assert len(listeners) == 2
        assert all(int(each["sub"]) >= 50 for each in listeners)


def open_feed(stack, number):
    """A socket that hears one of fifty channels, from one of two addresses: nginx has a limit."""
    address = ("127.0.0.1", stack.port)
    connection = socket.create_connection(address, PATIENCE, (f"127.0.0.{number % 2 + 2}", 0))
    connection.sendall(compose(f"/probe/feed/?channel=room-{number // 2 % 50}", HANDSHAKE))
    assert connection.recv(4096).startswith(b"HTTP/1.1 101")
    return connection
