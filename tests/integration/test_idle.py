"""The proxy contract, row 35: a socket on which nobody speaks lives as long as pings come."""

import contextlib
import os
import subprocess
import threading
import time

import pytest
import websocket

from support.raw_http import HANDSHAKE, Connection, compose, get
from support.stack import PATIENCE, ROOT, needs_our_worker, wait_for

# nginx gives up after four seconds here, instead of sixty.
IMPATIENT = {"proxy_read_timeout 60s": "proxy_read_timeout 4s"}


def test_without_pings_nginx_closes_it_at_the_read_timeout(nginx):
    with Connection(nginx(changes=IMPATIENT).port) as connection:
        connection.send(compose("/probe/", HANDSHAKE))
        connection.response()
        connection.frame()
        start = time.monotonic()
        assert connection.is_closed()
        assert 3 < time.monotonic() - start < 10


@pytest.fixture
def pinging(stack):
    """Starts a gunicorn of the shipped configuration that pings every 0.3 seconds, not 20."""
    command = [ROOT / ".venv/bin/gunicorn", "--config", ROOT / "deploy/gunicorn/websocket.py"]
    environment = stack.environment | {
        "DJANGO_SETTINGS_MODULE": "support.probe.pinging",
        "WEBSOCKET_BIND": "unix:run/websocket-pinging.sock",
        "INSTANCE": "9",
        "STATE_DIR": str(stack.state),
    }
    path = stack.state / "run" / "websocket-pinging.sock"
    with (stack.state / "log" / "pinging.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=stack.state, env=os.environ | environment, stdout=log, stderr=log
        )
    wait_for(lambda: is_up(path), "the gunicorn to answer")
    yield f"unix:{path}"
    process.terminate()
    process.wait(PATIENCE)


def is_up(path):
    """Whether the gunicorn answers: this nginx does not wait until its worker has loaded Django."""
    with contextlib.suppress(OSError):
        return get(path, "/healthz").status == 200
    return False


@needs_our_worker
def test_with_pings_it_stays_open(nginx, pinging):
    upstreams = {f"unix:run/websocket-{number}.sock": pinging for number in (1, 2)}
    port = nginx(changes=IMPATIENT | upstreams).port
    client = websocket.create_connection(f"ws://localhost:{port}/probe/", timeout=PATIENCE)
    client.recv()
    speak = threading.Timer(9, client.send, ["still here"])
    speak.start()
    assert client.recv() == "still here"  # Until then nothing but pings, which recv() answers.
    speak.join()
    client.close()
