"""Which drivers, libraries and habits let other sockets go on while a view waits one second.

``pytest -s`` prints how long an echo waited: docs/how-to/drivers-and-gevent.md has the figures.
"""

import json
import socket
import sqlite3
import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from support.company.environments import environment
from support.newcomer import Project
from support.postgresql import postgresql

pytestmark = pytest.mark.timeout(300)

SOCKETS = """
    import asyncio, hashlib, json, queue, select, subprocess, threading, time, urllib.request
    from concurrent.futures import ThreadPoolExecutor
    import gevent
    from django.db import connection, connections
    from django.urls import path
    from gevent import monkey
    from django_websocket import websocket

    REALLY_SLEEP = monkey.get_original("time", "sleep")

    def query():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1)")

    def locked_sqlite():
        try:
            with connections["locked"].cursor() as cursor:
                cursor.execute("CREATE TABLE t (x)")
        except Exception as error:
            assert "locked" in str(error), error

    def computes():
        end = time.perf_counter() + 1
        while time.perf_counter() < end:
            pass

    def computes_and_yields():
        end = time.perf_counter() + 1
        while time.perf_counter() < end:
            sum(range(10_000))
            gevent.sleep(0)

    def thread():
        worker = threading.Thread(target=time.sleep, args=(1,))
        worker.start()
        worker.join()

    def executor():
        with ThreadPoolExecutor() as pool:
            pool.submit(time.sleep, 1).result()

    async def coroutine():
        await asyncio.sleep(1)

    async def to_thread():
        await asyncio.to_thread(time.sleep, 1)

    def emptied():
        try:
            queue.Queue().get(timeout=1)
        except queue.Empty:
            pass

    def download():
        with urllib.request.urlopen(SLOW) as answer:
            assert answer.read() == b"done"

    SLOW = None
    WAYS = {
        "query": query,
        "locked sqlite": locked_sqlite,
        "time.sleep": lambda: time.sleep(1),
        "urllib": download,
        "subprocess.run": lambda: subprocess.run(["sleep", "1"], check=True),
        "thread": thread,
        "ThreadPoolExecutor": executor,
        "queue": emptied,
        "select": lambda: select.select([], [], [], 1),
        "asyncio.run": lambda: asyncio.run(coroutine()),
        "asyncio.to_thread": lambda: asyncio.run(to_thread()),
        "computes": computes,
        "computes, gevent.sleep(0)": computes_and_yields,
        "C library": lambda: REALLY_SLEEP(1),
        "C library, threadpool": lambda: gevent.get_hub().threadpool.apply(REALLY_SLEEP, (1,)),
        "hash": lambda: hashlib.pbkdf2_hmac("sha256", b"x", b"y", 3_000_000),
        "hash, threadpool": lambda: gevent.get_hub().threadpool.apply(
            hashlib.pbkdf2_hmac, ("sha256", b"x", b"y", 3_000_000)
        ),
    }

    @websocket
    def waits(request, websocket):
        global SLOW
        for message in websocket:
            way, SLOW = json.loads(message)
            websocket.send("begins")
            gevent.sleep(0.1)
            start = time.perf_counter()
            WAYS[way]()
            websocket.send_json(time.perf_counter() - start)

    @websocket
    def echo(request, websocket):
        for message in websocket:
            websocket.send(message)

    urlpatterns = [path("waits/", waits), path("echo/", echo)]
"""
COOPERATIVE = [
    *("time.sleep", "urllib", "subprocess.run", "thread", "ThreadPoolExecutor", "queue", "select"),
    *("asyncio.run", "asyncio.to_thread", "computes, gevent.sleep(0)"),
    *("C library, threadpool", "hash, threadpool"),
]
BLOCKING = ["locked sqlite", "computes", "C library", "hash"]


def longest_echo(server, way, slow=None):
    """Seconds that the slowest echo took while a view went this way, and those of the way."""
    client, other = server.connect("/waits/"), server.connect("/echo/")
    client.send(json.dumps([way, slow]))
    assert client.recv() == "begins"
    took, took_longest = [], 0.0

    def wait():
        took.append(json.loads(client.recv()))

    thread = threading.Thread(target=wait)
    thread.start()
    while thread.is_alive():
        start = time.monotonic()
        other.send("x")
        other.recv()
        took_longest = max(took_longest, time.monotonic() - start)
        time.sleep(0.01)
    thread.join()
    server.drop_clients()
    print(f"{way}: took {took[0]:.2f} s, an echo beside it {took_longest * 1000:.0f} ms")
    return took_longest, took[0]


@pytest.fixture(scope="module")
def slow_page():
    """A page that takes a second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                time.sleep(1)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\ndone")

        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ways")
    locked = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "locked")}
    databases = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        "locked": locked | {"OPTIONS": {"timeout": 1}},
    }
    with sqlite3.connect(folder / "locked", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with Project(folder, {"DATABASES": databases}, {"sockets": SOCKETS}).serve() as server:
            yield server
    holder.close()


@pytest.mark.parametrize("way", COOPERATIVE)
def test_other_sockets_go_on(server, slow_page, way):
    waited, took = longest_echo(server, way, slow_page)
    assert waited < took / 2


@pytest.mark.parametrize("way", BLOCKING)
def test_every_socket_waits(server, way):
    waited, took = longest_echo(server, way)
    assert waited > took / 2


# Drivers


@pytest.fixture(scope="module")
def database():
    with postgresql() as url:
        parts = urlsplit(url)
        yield {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path[1:],
            "USER": parts.username,
            "HOST": parse_qs(parts.query)["host"][0],
        }


def project_on(folder, database, driver, **modules):
    if driver != "psycopg":
        modules["psycopg"] = "raise ImportError"  # Django prefers it
    settings = {"DATABASES": {"default": database}}
    return Project(folder, settings, {"sockets": SOCKETS} | modules, environment("drivers"))


GREEN = """
    def post_fork(server, worker):
        from psycogreen.gevent import patch_psycopg
        patch_psycopg()
"""


@pytest.mark.parametrize(
    ("driver", "config", "blocks"),
    [("psycopg", "", False), ("psycopg2", "", True), ("psycopg2", GREEN, False)],
    ids=["psycopg 3", "psycopg2", "psycopg2 with psycogreen"],
)
def test_a_query(tmp_path, database, driver, config, blocks):
    project = project_on(tmp_path, database, driver, gunicorn_config=config)
    arguments = ("-c", str(tmp_path / "gunicorn_config.py"))
    with project.serve(
        "wsgi:websocket", "django_websocket.worker.WebSocketWorker", *arguments
    ) as server:
        waited, took = longest_echo(server, "query")
    assert (waited > took / 2) is blocks
    said = "uses psycopg2, which blocks this worker and all its sockets" in server.log
    assert said is blocks
    assert ("psycopg[binary,pool]" in server.log) is blocks


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_the_check_names_a_driver_that_blocks(tmp_path, database, driver):
    hidden = {"psycogreen": "raise ImportError"} if driver == "psycopg2" else {}
    project = project_on(tmp_path, database, driver, **hidden)
    done = project.manage("check")
    assert done.returncode == 0, done.stdout
    assert ("django_websocket.W005" in done.stdout) is (driver == "psycopg2")


def test_the_check_trusts_psycogreen_and_pymysql(tmp_path, database):
    assert "W005" not in project_on(tmp_path, database, "psycopg2").manage("check").stdout
    mysql = {"ENGINE": "django.db.backends.mysql", "NAME": "nowhere"}
    project = project_on(tmp_path, mysql, "pymysql")
    done = project.manage("check")
    assert "Did you install mysqlclient?" in done.stdout, "this environment has PyMySQL only"
    source = (tmp_path / "settings.py").read_text()
    project.write("settings", "import pymysql; pymysql.install_as_MySQLdb()\n" + source)
    done = project.manage("check", "--tag", "websocket")
    assert done.returncode == 0, done.stdout
    assert "W005" not in done.stdout
