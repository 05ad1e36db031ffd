import contextlib
import json
import os
import signal
import time

import psutil
import pytest

from support.frames import CLOSE, TEXT, close_frame, frame
from support.raw_client import RawClient, handshake
from support.server import OUR_WORKER, PATIENCE, serve, wait_for
from support.site import prepare

PATCH = "from gevent import monkey; monkey.patch_all()"
AWAY = (1012, "service restart")


@pytest.fixture
def clients():
    with contextlib.ExitStack() as stack:

        def connect(server, path, count=1):
            return [stack.enter_context(RawClient(server.address)).open(path) for _ in range(count)]

        yield connect


def worker_of(server):
    (worker,) = wait_for(psutil.Process(server.pid).children, "a worker")
    return worker


def answer_close(client):
    """Read up to the close frame and answer it; its code and reason."""
    while (received := client.receive())[0] != CLOSE:
        pass
    client.send(close_frame(1000))
    return int.from_bytes(received[1][:2], "big"), received[1][2:].decode()


def test_sigterm_closes_every_socket_with_1012(serve_raw, clients):
    with serve_raw("--graceful-timeout", "6", PING_INTERVAL=None) as server:
        connected = clients(server, "/echo", 1000)
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert {answer_close(client) for client in connected} == {AWAY}
        assert all(client.read_rest() == b"" for client in connected)
        server.process.wait(PATIENCE)
        assert time.monotonic() - start < 4, "gone two seconds before gunicorn would kill it"
        assert "Killing" not in server.log


def test_clients_that_do_not_answer_do_not_hold_the_worker(serve_raw, clients):
    with serve_raw("--graceful-timeout", "8", CLOSE_TIMEOUT=1) as server:
        (client,) = clients(server, "/echo")
        server.process.send_signal(signal.SIGTERM)
        assert client.receive_close() == AWAY
        start = time.monotonic()
        server.process.wait(PATIENCE)
        assert time.monotonic() - start < 3
        assert "Killing" not in server.log


def test_a_view_that_does_not_end_is_killed_before_gunicorn_kills_the_worker(serve_raw, clients):
    with serve_raw("--graceful-timeout", "6") as server:
        (client,) = clients(server, "/stubborn")
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert answer_close(client) == AWAY
        server.process.wait(PATIENCE)
        assert time.monotonic() - start < 4.5
        assert "Killing views that have not ended in time" in server.log


def test_what_clients_sent_before_they_knew_is_processed(serve_raw, clients):
    with serve_raw("--graceful-timeout", "8") as server:
        (client,) = clients(server, "/slow")
        client.send(*[frame(TEXT, f"before-{number}") for number in range(10)])
        server.wait_for_log("processed before-0")
        server.process.send_signal(signal.SIGTERM)
        assert client.receive_close() == AWAY
        client.send(frame(TEXT, "on its way"), close_frame(1012))
        server.process.wait(PATIENCE)
        for number in range(10):
            assert f"processed before-{number}\n" in server.log
        assert "processed on its way" in server.log


def test_reload_replaces_the_worker(serve_raw, clients):
    with serve_raw("--graceful-timeout", "6") as server:
        (client,) = clients(server, "/echo")
        old = worker_of(server)
        server.process.send_signal(signal.SIGHUP)
        assert answer_close(client) == AWAY
        old.wait(PATIENCE)
        (client,) = clients(server, "/echo")
        client.send(frame(TEXT, "again"))
        assert client.receive() == (TEXT, b"again")


def test_max_requests_counts_handshakes(serve_raw, clients):
    with serve_raw("--graceful-timeout", "6", "--max-requests", "3") as server:
        old = worker_of(server)
        for _ in range(3):
            assert server.get("/health").status == 200, "a probe is no handshake"
        connected = clients(server, "/echo", 3)
        assert {answer_close(client) for client in connected} == {AWAY}
        old.wait(PATIENCE)
        (client,) = clients(server, "/echo")
        client.send(frame(TEXT, "again"))
        assert client.receive() == (TEXT, b"again")


def test_a_worker_whose_master_has_died_says_goodbye(serve_raw, clients):
    with serve_raw("--graceful-timeout", "6") as server:
        (client,) = clients(server, "/echo")
        worker = worker_of(server)
        os.kill(server.pid, signal.SIGKILL)
        assert answer_close(client) == AWAY
        worker.wait(PATIENCE)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [([], {"MAX_CONNECTIONS": 2}), (["--worker-connections", "2"], {})],
)
def test_one_socket_too_many(serve_raw, clients, arguments, options):
    with serve_raw(*arguments, **options) as server:
        first, _ = clients(server, "/echo", 2)
        with RawClient(server.address) as refused:
            refused.send(handshake("/echo"))
            status, headers = refused.read_head()
            assert (status, headers["connection"]) == (503, "close")
            assert int(headers["retry-after"]) > 0
        assert server.get("/health").status == 200, "a probe still gets its answer"
        first.send(close_frame(1000))
        first.receive_close()
        first.close()
        with RawClient(server.address) as client:

            def room():
                client.close()
                client.__init__(server.address)
                client.send(handshake("/echo"))
                return client.read_head()[0] == 101

            wait_for(room, "room for a socket")


def test_the_garbage_collector_leaves_what_is_loaded_alone(serve_raw):
    with serve_raw() as server:
        assert int(server.connect("/frozen").recv()) > 10_000


def test_a_hub_that_was_held_is_told(serve_raw):
    with serve_raw(MAX_HUB_LAG=0.5) as server:
        wait_for(lambda: server.get("/health").status == 200, "health")
        assert json.loads(server.get("/health").body) == {"draining": False, "hub_lag": 0}
        server.get("/hog?2.5")
        assert json.loads(server.get("/health").body)["hub_lag"] > 0.9
        server.wait_for_log("A greenlet blocked the worker for")


def test_a_wrong_setting_is_named_and_nothing_starts(serve_raw):
    with serve_raw(PING_TIMEOUT="soon") as server:
        assert server.process.wait(PATIENCE) != 0
        assert "WEBSOCKET_PING_TIMEOUT: expected a number of seconds" in server.log


def test_two_workers_share_the_listener(serve_raw, clients):
    with serve_raw("--workers", "2", "--graceful-timeout", "6") as server:
        connected = clients(server, "/echo", 20)
        for client in connected:
            client.send(frame(TEXT, "x"))
            assert client.receive() == (TEXT, b"x")
        server.process.send_signal(signal.SIGTERM)
        assert {answer_close(client) for client in connected} == {AWAY}
        server.process.wait(PATIENCE)


@pytest.fixture
def preload(tmp_path):
    """Runs a Django site with --preload, with this configuration file of gunicorn."""

    def run(configuration=""):
        config = tmp_path / "gunicorn.conf.py"
        config.write_text(configuration)
        env = {
            "DJANGO_SETTINGS_MODULE": "support.site.settings",
            "SITE_DATABASE": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        }
        (cookie,) = prepare(env, users=1)
        arguments = ("--preload", "--config", str(config))
        site = "support.site.wsgi:websocket"
        return cookie, serve(site, OUR_WORKER, tmp_path / "log", env, *arguments)

    return run


@pytest.mark.parametrize("configuration", ["", f"import django.db; {PATCH}"])
def test_django_loaded_before_patching_is_refused_at_start(preload, configuration):
    _, running = preload(configuration)
    with running as server:
        assert server.process.wait(PATIENCE) == 3
    assert f"begin gunicorn's configuration file with '{PATCH}'" in server.log


def test_preload_after_patching_works(preload):
    cookie, running = preload(PATCH)
    with running as server:
        sockets = [server.connect("/orm/", cookie=cookie) for _ in range(3)]
        for _ in range(2):
            assert [socket.recv() for socket in sockets] == ["user0"] * 3
            for socket in sockets:
                socket.send("again")
