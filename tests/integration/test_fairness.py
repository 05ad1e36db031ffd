"""What one client sends without a pause, others hardly notice, through the proxy and all."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from support.server import PATIENCE, ROOT

FLOODER = ROOT / "tests" / "support" / "flooder.py"
SECONDS = 4

#: Seconds that a small echo may take of the worker's own time: 99 of 100, and the slowest.
USUAL, SLOWEST = 0.1, 0.4

pytestmark = pytest.mark.timeout(2 * PATIENCE)


@pytest.fixture
def workers(stack):
    """The process ids of the two WebSocket workers."""
    stack.wait_until_whole()
    masters = [stack.pid(f"websocket:websocket-{number}") for number in (1, 2)]
    return [psutil.Process(master).children()[0].pid for master in masters]


def used(pid):
    """The processor time of a worker so far, in seconds: what else runs does not count."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def connect(stack, workers):
    """A socket that gets back what it sends, and its worker."""
    socket = stack.connect("/probe/")
    return socket, workers[int(json.loads(socket.recv())["instance"]) - 1]


def echo_times(probes):
    times = []
    end = time.monotonic() + SECONDS - 1
    while time.monotonic() < end:
        for socket, worker in probes:
            before = used(worker)
            socket.send("x" * 16)
            assert socket.recv() == "x" * 16
            times.append(used(worker) - before)
    return sorted(times)


@contextlib.contextmanager
def flood(stack, path, kind, *flags):
    process = subprocess.Popen(
        [sys.executable, FLOODER, str(stack.port), path, str(SECONDS), kind, *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "flooding\n"
        yield
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "flooding",
    [
        pytest.param(("/echo/", "x"), id="echo"),
        pytest.param(("/chat/flooded/", '{"type":"enter","name":"x"}'), id="chat"),
        pytest.param(("/probe/busy/", "x"), id="a millisecond a message"),
        pytest.param(("/probe/busy/", "ping", "--deaf"), id="pings, reading nothing"),
        pytest.param(("/probe/busy/", "fragment"), id="fragments"),
    ],
)
def test_a_flood_by_one_leaves_the_others_their_share(stack, workers, flooding):
    # Whichever of the two workers gets the flood, two of these are its neighbours.
    probes = [connect(stack, workers) for _ in range(4)]
    with flood(stack, *flooding):
        times = echo_times(probes)
    for socket, _ in probes:
        socket.close()
    assert times[len(times) * 99 // 100] < USUAL
    assert times[-1] < SLOWEST
