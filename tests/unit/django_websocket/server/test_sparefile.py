import resource
from contextlib import suppress

import psutil
import pytest
from websocket import WebSocketBadStatusException

from support.server import wait_for


@pytest.fixture
def worker(serve_raw):
    """The only worker of a server whose last file is open soon."""
    with serve_raw() as server:
        (worker,) = wait_for(psutil.Process(server.pid).children, "a worker")
        yield server, worker


def test_without_a_file_for_its_connection_a_client_gets_503(worker):
    server, process = worker
    first = server.connect("/echo")
    soft, hard = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds() + 5, hard))
    with suppress(WebSocketBadStatusException):
        for _ in range(50):
            server.connect("/echo")
    for _ in range(3):
        response = server.get("/refuse")
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
    first.send("served all the time")
    assert first.recv() == "served all the time"
    process.rlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert server.get("/refuse").status == 403
    assert server.log.count("Clients get 503: Too many open files") == 1
    assert "Traceback" not in server.log
