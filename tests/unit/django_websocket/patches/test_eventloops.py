"""asyncio in one view, beside other sockets; on a live server."""

import asyncio
import inspect
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.neighbours import environment, prepare
from support.server import OUR_WORKER, PATIENCE, ROOT, STOCK_WORKER, serve, wait_for

AUTH = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
AWAITS = "support.neighbours.middleware.awaits"
COUNT = 1  # of users
WAYS = {
    "run": COUNT,
    "async_to_sync": COUNT,
    "runner": COUNT,
    "many": COUNT,
    "impatient": 1,
    "blocking": True,
    "to_thread": COUNT,
    "generator": 5 + COUNT,
    "get": COUNT,
    "broken": COUNT,
}


@pytest.fixture(
    scope="module",
    params=[(AUTH, OUR_WORKER), ([*AUTH, AWAITS], OUR_WORKER), ([*AUTH, AWAITS], STOCK_WORKER)],
    ids=["our", "our, async middleware", "stock, async middleware"],
)
def server(request, tmp_path_factory):
    middleware, worker = request.param
    folder = tmp_path_factory.mktemp("asyncio")
    env = environment(folder, MIDDLEWARE=middleware)
    (cookie,) = prepare(env, users=COUNT)
    with serve("support.neighbours.wsgi:websocket", worker, folder / "log", env) as server:
        server.cookie = cookie
        server.ours = worker == OUR_WORKER
        yield server
        assert "SynchronousOnlyOperation" not in server.log
        assert "asynchronous generator" not in server.log


def test_sockets_with_and_without_asyncio_side_by_side(server):
    """Each with a logged-in handshake of its own, and all of them at once."""

    def converse(number):
        way = list(WAYS)[number % len(WAYS)]
        client = server.connect("/asyncs/", cookie=server.cookie)
        other = server.connect("/orm/", cookie=server.cookie)
        for _ in range(5):
            client.send(way)
            other.send("count")
            assert json.loads(other.recv()) == [COUNT, "user0"]
            assert json.loads(client.recv()) == [COUNT, WAYS[way], COUNT, "user0"], way
        client.close()
        other.close()

    with ThreadPoolExecutor(3 * len(WAYS)) as threads:
        list(threads.map(converse, range(3 * len(WAYS))))
    wait_for(lambda: server.connect("/loops/").recv() == "quiet", "no tracing without a loop")


@pytest.mark.parametrize("how", ["run", "async_to_sync"])
def test_a_view_that_is_killed_with_its_loop_leaves_nothing_to_others(server, how):
    if not server.ours:
        pytest.skip("the stock worker's sockets are not read by two greenlets")
    client = server.connect(f"/outlived/?how={how}&seconds=3")
    assert client.recv() == "begun"
    neighbour = server.connect("/orm/", cookie=server.cookie)
    client.close()
    neighbour.send("count")
    assert json.loads(neighbour.recv()) == [COUNT, "user0"]
    assert server.connect("/loops/").recv() in ("traced", "quiet")
    wait_for(lambda: server.connect("/loops/").recv() == "quiet", "no tracing without a loop")


@pytest.mark.parametrize("how", ["run", "async_to_sync"])
def test_a_running_loop_does_not_keep_the_worker_from_ending(tmp_path, how):
    env = environment(tmp_path)
    prepare(env, users=0)
    with serve("support.neighbours.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
        assert server.connect(f"/outlived/?how={how}&seconds=3600").recv() == "begun"
        start = time.monotonic()
        server.process.terminate()
        server.process.wait(PATIENCE)
        assert time.monotonic() - start < 5
        assert "SIGKILL" not in server.log


def test_the_private_name_that_this_needs_is_there():
    """asyncio's own loops find it in asyncio.events whenever they begin and end to run."""
    assert "events._set_running_loop(" in inspect.getsource(asyncio.base_events.BaseEventLoop)
    assert asyncio._set_running_loop is asyncio.events._set_running_loop


CHAIN = """
from gevent import monkey
monkey.patch_all()
import asyncio, gevent, greenlet
from django_websocket.patches.eventloops import give_each_greenlet_its_own

give_each_greenlet_its_own()
give_each_greenlet_its_own()
seen = []
first = lambda event, greenlets: seen.append(event)
greenlet.settrace(first)

async def work():
    await asyncio.sleep(0.01)

asyncio.run(work())
assert greenlet.gettrace() is first, "the tracer that was there is back"
assert seen, "and it was asked meanwhile"

seen.clear()

def younger(event, greenlets):
    below(event, greenlets)

async def traced_meanwhile():
    global below
    below = greenlet.settrace(younger)
    await asyncio.sleep(0.01)

asyncio.run(traced_meanwhile())
assert greenlet.gettrace() is younger
gevent.sleep(0)
assert seen

def inside():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

runs = gevent.spawn(asyncio.run, asyncio.sleep(0.1))
gevent.sleep(0.01)
assert not inside()
pool = gevent.get_hub().threadpool
assert pool.apply(inside) is False
assert pool.apply(asyncio.run, (work(),)) is None, "in a thread of its own"
assert not inside()
runs.get()

# Whoever says that a loop runs and never that it ended.
gevent.spawn(asyncio._set_running_loop, object()).get()
gevent.sleep(0)
assert not inside()
print("fine")
"""


def test_tracers_threads_and_greenlets_that_die():
    run = subprocess.run(
        [sys.executable, "-c", CHAIN],
        env={"PYTHONPATH": str(ROOT / "app")},
        capture_output=True,
        text=True,
    )
    assert run.stdout == "fine\n", run.stderr
