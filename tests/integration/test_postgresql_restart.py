"""PostgreSQL restarts, as unattended upgrades do, under the project's own settings."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.postgresql import running_postgresql
from support.server import OUR_WORKER, ROOT, serve
from support.visitors import saying

AT_ONCE = 16


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A PostgreSQL with the project's tables, and the environment that names it."""
    folder = tmp_path_factory.mktemp("project")
    with running_postgresql() as server:
        env = {"DATABASE_URL": server.url, "REDIS_URL": "memory://", "STATE_DIR": str(folder)}
        subprocess.run(
            [sys.executable, ROOT / "app" / "manage.py", "migrate", "--verbosity=0"],
            env=os.environ | env,
            check=True,
        )
        env["DJANGO_DEBUG"] = "true"  # pages need no collected files
        yield server, env | {"DJANGO_SETTINGS_MODULE": "project.settings"}


def test_no_page_fails_after_it(database, tmp_path):
    postgresql, env = database
    app, log = "project.wsgi:application", tmp_path / "log"
    with (
        serve(app, "gthread", log, env, "--threads", str(AT_ONCE)) as server,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):

        def pages():
            answers = threads.map(lambda _: server.get("/chat/lobby/").status, range(AT_ONCE))
            return list(answers)

        assert pages() == [200] * AT_ONCE
        postgresql.restart()
        assert pages() == [200] * AT_ONCE, server.log


def answer(client):
    """The answer to what was said; the room's messages are passed over."""
    while (reply := json.loads(client.recv())).get("type") != "ws.reply":
        pass
    return reply.get("error", "stored")


def test_no_socket_fails_after_it(database, tmp_path):
    postgresql, env = database
    with serve("project.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
        clients = [server.connect("/chat/lobby/") for _ in range(AT_ONCE)]
        for moment in ("before", "after"):
            for number, client in enumerate(clients):
                client.send(saying(f"{moment}-{number}"))
            assert [answer(client) for client in clients] == ["stored"] * AT_ONCE, server.log
            if moment == "before":
                postgresql.restart()
        assert "Traceback" not in server.log
