"""What would end a process ends a view, a handshake or a greenlet: nothing else."""

import json
import os
import signal

import psutil
import pytest
import websocket

from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for
from support.site import prepare

ERRORS = {
    "system-exit": "SystemExit",
    "keyboard-interrupt": "KeyboardInterrupt",
    "timeout": "Timeout",
    "cancelled": "CancelledError",
    "system-error": "SystemError",
    "memory-error": "MemoryError",
    "generator-exit": "GeneratorExit",
    "unheard": "Unheard",
}


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    database = tmp_path_factory.mktemp("exits") / "db.sqlite3"
    env = {"SITE_DATABASE": f"sqlite:///{database}"}
    prepare(env, users=0)
    return env


@pytest.fixture(scope="module", params=[OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def server(request, env, tmp_path_factory):
    log = tmp_path_factory.mktemp("gunicorn") / "log"
    with serve("support.site.wsgi:websocket", request.param, log, env) as server:
        server.ours = request.param == OUR_WORKER
        yield server


@pytest.fixture
def other(server):
    """Another socket, which lives on whatever happens."""
    other = server.connect("/echo/")
    yield other
    other.send("still here")
    assert other.recv() == "still here"
    other.close()


def close_code(client):
    opcode, data = client.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    return int.from_bytes(data[:2], "big")


def wait_for_signal(server, mark):
    noted = lambda: mark in json.loads(server.connect("/noted/").recv())  # noqa: E731
    wait_for(noted, f"signal {mark!r}")


@pytest.mark.parametrize("kind", ERRORS)
def test_a_view(server, other, kind):
    client = server.connect(f"/exits/{kind}/")
    client.send("go")
    assert close_code(client) == 1011
    wait_for_signal(server, f"/exits/{kind}/ raised {ERRORS[kind]}")
    server.wait_for_log(f"Internal Server Error: /exits/{kind}/")


def test_greenlet_exit_alone_is_a_normal_end(server, other):
    client = server.connect("/exits/greenlet-exit/")
    client.send("go")
    assert close_code(client) == 1000
    assert "Internal Server Error: /exits/greenlet-exit/" not in server.log


@pytest.mark.parametrize("kind", ERRORS)
def test_a_handshake(server, other, kind):
    path = f"/facts/handshake/{len(kind)}/"
    if server.ours:
        assert server.handshake(path, **{"X-Exit": kind}).status == 500
    else:
        assert close_code(server.connect(path, header={"X-Exit": kind})) == 1011
    wait_for_signal(server, f"{path} raised {ERRORS[kind]}")


@pytest.mark.parametrize("kind", ERRORS)
def test_a_plain_request(server, other, kind):
    path = f"/facts/plain/{len(kind)}/"
    assert server.get(path, **{"X-Exit": kind}).status == 500
    wait_for_signal(server, f"{path} raised {ERRORS[kind]}")


@pytest.mark.parametrize("kind", ERRORS)
def test_a_greenlet_that_a_view_has_spawned(server, other, kind):
    if not server.ours:
        pytest.skip("gevent's hub is the stock worker's")
    client = server.connect(f"/spawned-exits/{kind}/")
    client.send("go")
    assert client.recv() == "go"
    server.wait_for_log(ERRORS[kind])


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_gunicorns_own_quick_exit(env, tmp_path, number):
    with serve("support.site.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
        client = server.connect("/echo/")
        client.send("hello")
        assert client.recv() == "hello"
        os.kill(server.pid, number)
        wait_for(lambda: server.process.poll() is not None, "the end of gunicorn")
    assert "ended by SystemExit" not in server.log


def test_ctrl_c_in_a_terminal_ends_gunicorn_without_a_traceback(env, tmp_path):
    """A terminal sends SIGINT to all; the master then sends SIGQUIT to the worker."""
    with serve("support.site.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
        client = server.connect("/echo/")
        client.send("hello")
        assert client.recv() == "hello"
        (worker,) = psutil.Process(server.pid).children()
        for process in (worker.pid, server.pid):
            os.kill(process, signal.SIGINT)
        wait_for(lambda: server.process.poll() is not None, "the end of gunicorn")
    assert "Traceback" not in server.log
