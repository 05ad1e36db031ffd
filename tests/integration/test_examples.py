"""The examples, through the whole stack. They are ordinary views on either worker."""

import os
import subprocess
import sys
import time
import urllib.request
from datetime import datetime

import pytest
import redis
import websocket

from support.server import ROOT
from support.stack import PATIENCE, wait_for

NAMES = ["echo", "ping", "ticker", "select"]


@pytest.fixture
def connect(stack):
    sockets = []

    def connect(path, **options):
        sockets.append(stack.connect(path, **options))
        return sockets[-1]

    yield connect
    for client in sockets:
        client.close()


@pytest.mark.parametrize("name", NAMES)
def test_page_and_socket_share_one_url(stack, connect, name):
    with urllib.request.urlopen(f"{stack.url}{name}/", timeout=PATIENCE) as page:
        assert page.headers["Content-Type"].startswith("text/html")
        assert f'data-socket="ws://localhost:{stack.port}/{name}/"' in page.read().decode()
    assert connect(f"/{name}/").status == 101


class TestEcho:
    @pytest.mark.parametrize("text", ["hello", "Grüße, 世界 \N{GRINNING FACE}", "x" * 70_000])
    def test_text_as_text(self, connect, text):
        client = connect("/echo/")
        client.send(text)
        assert client.recv_data() == (websocket.ABNF.OPCODE_TEXT, text.encode())

    @pytest.mark.parametrize("data", [b"\x00\xff", b"\x01" * 70_000])
    def test_binary_as_binary(self, connect, data):
        client = connect("/echo/")
        client.send_binary(data)
        assert client.recv_data() == (websocket.ABNF.OPCODE_BINARY, data)

    def test_many_in_order(self, connect):
        client = connect("/echo/")
        for number in range(200):
            client.send(str(number))
        assert [client.recv() for _ in range(200)] == [str(number) for number in range(200)]


class TestPing:
    def test_ping_and_pong(self, connect):
        client = connect("/ping/")
        client.send("ping")
        assert client.recv() == "pong"
        client.send("pong")
        assert client.recv() == "ping"

    def test_silent_otherwise(self, connect):
        client = connect("/ping/")
        client.send("hello")
        client.send_binary(b"ping")
        client.send("PING")
        client.send("ping")
        assert client.recv() == "pong"


class TestTicker:
    def test_tells_the_time_every_second(self, connect):
        client = connect("/ticker/")
        client.recv()
        start = time.monotonic()
        times = [datetime.fromisoformat(client.recv()) for _ in range(2)]
        assert 1.5 < time.monotonic() - start < 4
        assert 1 <= (times[1] - times[0]).total_seconds() <= 2

    def test_ends_when_its_client_leaves(self, stack, connect):
        clients = [connect("/ticker/") for _ in range(3)]
        for client in clients:
            client.recv()
        opened = _open_sockets(stack)
        for client in clients:
            client.close()
        wait_for(lambda: _open_sockets(stack) <= opened - len(clients))


class TestSelect:
    @pytest.fixture
    def join(self, connect):
        """A client that hears what is relayed from now on."""

        def join(word):
            client = connect("/select/")
            client.send(word)
            assert client.recv() == word
            return client

        return join

    def test_relays_from_client_to_client(self, join):
        ada = join("here is Ada")
        grace = join("here is Grace")
        assert ada.recv() == "here is Grace"
        for number in range(20):
            ada.send(f"to all {number}")
            assert grace.recv() == ada.recv() == f"to all {number}"
        grace.send("and back")
        assert ada.recv() == "and back"

    def test_relays_from_anywhere_in_order(self, stack, join):
        client = join("ready")
        code = "for number in range(100): publish('examples.select', str(number))"
        subprocess.run(
            [sys.executable, ROOT / "app/manage.py", "shell", "--no-imports", "--command",
             f"from django_websocket import publish\n{code}"],
            env=os.environ | {"STATE_DIR": str(stack.state)},
            check=True,
        )  # fmt: skip
        assert [client.recv() for _ in range(100)] == [str(number) for number in range(100)]

    def test_leaves_its_channel_with_its_client(self, stack, join):
        client = join("ready")
        with _redis(stack) as observer:
            assert observer.pubsub_channels("*examples.select*")
            client.close()
            wait_for(lambda: not observer.pubsub_channels("*examples.select*"))


def _redis(stack):
    return redis.Redis.from_url(f"unix://{stack.state}/run/redis.sock")


def _open_sockets(stack):
    """How many connections the WebSocket gunicorns hold, from nginx and others."""
    return sum(
        len(process.net_connections("unix"))
        for process in stack.processes()
        if "deploy/gunicorn/websocket.py" in " ".join(process.cmdline())
    )
