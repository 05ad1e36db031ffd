"""The wall clock may be set, by hand or by a time server: no socket notices."""

import contextlib
import json
import time

import pytest

from support.frames import PING, PONG, TEXT, frame
from support.raw_client import RawClient
from support.server import OUR_WORKER, PATIENCE, ROOT, serve

#: ld.so puts the architecture's folder for $LIB.
LIBRARY = "/usr/$LIB/faketime/libfaketime.so.1"
LOG = ("--access-logformat", '"%(r)s" seconds=%({websocket.duration}e)s')


@pytest.fixture
def clock(tmp_path):
    """``clock(seconds)`` sets the server's wall clock to so much before or after the true time."""
    path = tmp_path / "clock"

    def set_clock(seconds):
        path.write_text(f"{seconds:+d}")

    set_clock.path = path
    set_clock(0)
    return set_clock


@pytest.fixture
def connected(clock, tmp_path):
    settings = {"WEBSOCKET_PING_INTERVAL": 0.5, "WEBSOCKET_PING_TIMEOUT": 10}
    env = {
        "RAW_APP_SETTINGS": json.dumps(settings),
        "PYTHONPATH": f"{ROOT / 'tests' / 'support' / 'fakeclock'}:{ROOT / 'app'}:{ROOT / 'tests'}",
        "LD_PRELOAD": LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": str(clock.path),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            serve("support.raw_app", OUR_WORKER, tmp_path / "log", env, *LOG)
        )
        client = stack.enter_context(RawClient(server.address)).open("/echo")
        client.server = server
        yield client


def date_of(server):
    return server.get("/refuse").headers["Date"]


def echoes(client):
    client.send(frame(TEXT, "here"))
    while (received := client.receive())[0] == PING:
        client.send(frame(PONG, received[1]))
    return received == (TEXT, b"here")


def test_pings_go_on_when_it_is_set_back(connected, clock):
    before = date_of(connected.server)
    clock(-3600)
    assert date_of(connected.server) != before, "the server sees the other time"
    for _ in range(3):
        assert connected.receive() == (PING, b"")
        connected.send(frame(PONG))
    assert echoes(connected)


def test_a_live_socket_stays_when_it_is_set_forward_behind_a_ping(connected, clock):
    assert connected.receive() == (PING, b"")
    clock(3600)
    date_of(connected.server)
    connected.sock.settimeout(1.5)
    with pytest.raises(TimeoutError):  # nothing: neither another ping nor the end
        connected.read_exactly(1)
    connected.sock.settimeout(PATIENCE)
    connected._stream = connected.sock.makefile("rb")
    connected.send(frame(PONG))
    assert echoes(connected)


def test_the_log_counts_true_seconds(connected, clock):
    assert echoes(connected)
    clock(-3600)
    time.sleep(1)
    connected.close()
    connected.server.wait_for_log("/echo")
    (line,) = (line for line in connected.server.log.splitlines() if "/echo" in line)
    assert 1 <= float(line.split("seconds=")[1]) < PATIENCE
