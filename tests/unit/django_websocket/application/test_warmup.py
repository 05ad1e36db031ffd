"""The project's own worker imports nothing more when the first handshakes come."""

import os
import re
import subprocess
import sys

import pytest
import websocket

from support.neighbours import environment, prepare
from support.postgresql import running_postgresql
from support.redis import Redis
from support.server import OUR_WORKER, PATIENCE, ROOT, STOCK_WORKER, serve

#: Whose modules take time. gevent and Python load small things when they are used.
HEAVY = re.compile(r"(chat|django|django_websocket|hiredis|project|psycopg|psycopg_pool|redis)\b")

LOG_IN = """
import django; django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
client.force_login(User.objects.get_or_create(username="ada")[0])
print("sessionid=" + client.cookies["sessionid"].value)
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis")).start()
    yield server.url
    server.kill()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def env(request, redis, tmp_path_factory):
    env = {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "REDIS_URL": redis,
    }
    if request.param == "sqlite":
        yield env
    else:
        with running_postgresql() as server:
            yield env | {"DATABASE_URL": server.url}


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def test_the_first_handshakes_import_nothing(env, worker, tmp_path):
    cookie = subprocess.run(
        [sys.executable, "-c", LOG_IN],
        env=os.environ | env | {"PYTHONPATH": str(ROOT / "app")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    configuration = str(ROOT / "tests" / "support" / "imports.py")
    log = tmp_path / "log"
    with serve("project.wsgi:websocket", worker, log, env, "-c", configuration) as server:
        path = "/chat/lobby/" if worker == OUR_WORKER else "/echo/"
        for options in ({}, {"cookie": cookie}):
            client = server.connect(path, **options)
            client.send("{}")
            assert client.recv()
        refused = [("/nowhere/", {}), ("/echo/", {"origin": "https://evil.example"})]
        for path, options in refused if worker == OUR_WORKER else ():
            with pytest.raises(websocket.WebSocketBadStatusException):
                server.connect(path, **options)
    late = re.search("imported late:(.*)", server.log).group(1).split()
    assert [name for name in late if HEAVY.match(name)] == []


def test_the_first_use_of_a_cache_imports_nothing(redis, tmp_path):
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis}
    env = environment(
        tmp_path,
        CACHES={"default": cache},
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
    )
    configuration = str(ROOT / "tests" / "support" / "imports.py")
    app, log = "support.neighbours.wsgi:websocket", tmp_path / "log"
    prepare(env, users=0)
    with serve(app, OUR_WORKER, log, env, "-c", configuration) as server:
        client = server.connect("/caching/")
        client.send("word")
        assert client.recv().endswith('"AnonymousUser"]')
    late = re.search("imported late:(.*)", server.log).group(1).split()
    assert [name for name in late if HEAVY.match(name)] == []


def test_a_urlconf_that_cannot_be_imported_keeps_the_worker_from_booting(env, tmp_path):
    broken = tmp_path / "broken_wsgi.py"
    broken.write_text(
        "from django.conf import settings\n"
        "settings.WEBSOCKET_URLCONF = 'no_such_urls'\n"
        "from project.wsgi import websocket\n"
    )
    arguments = ("--pythonpath", str(tmp_path))
    with serve("broken_wsgi:websocket", OUR_WORKER, tmp_path / "log", env, *arguments) as server:
        assert server.process.wait(PATIENCE) != 0
        assert "No module named 'no_such_urls'" in server.log


def test_pages_that_cannot_be_imported_are_said_and_sockets_are_served(env, tmp_path):
    app = tmp_path / "pageless_wsgi.py"
    app.write_text(
        "from django.conf import settings\n"
        "settings.ROOT_URLCONF = 'no_such_pages'\n"
        "from project.wsgi import websocket\n"
    )
    arguments = ("--pythonpath", str(tmp_path))
    with serve("pageless_wsgi:websocket", OUR_WORKER, tmp_path / "log", env, *arguments) as server:
        client = server.connect("/echo/")
        client.send("hello")
        assert client.recv() == "hello"
        assert "ROOT_URLCONF: ModuleNotFoundError" in server.log
