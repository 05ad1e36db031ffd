"""Who blocks the worker is in the log; the others get a close frame."""

import contextlib
import re
import time

import pytest

from support.frames import TEXT, frame
from support.raw_client import RawClient
from support.server import wait_for

VIEW = r"'/holds' .*raw_app\.py:\d+ holds"
AWAY = (1012, "service restart")


@pytest.fixture
def clients():
    with contextlib.ExitStack() as stack:
        yield lambda server, path: stack.enter_context(RawClient(server.address)).open(path)


def test_a_hub_that_was_held_names_path_and_line(serve_raw, clients):
    with serve_raw(MAX_HUB_LAG=0.5) as server:
        client = clients(server, "/holds?secret=1")
        client.send(frame(TEXT, "python 2.5"))
        assert client.receive() == (TEXT, b"done")
        line = wait_for(lambda: re.search(r"blocked the worker for .*", server.log), "the line")
        assert re.search(rf"blocked the worker for [12]\.\d seconds: {VIEW}", line.group())
        assert "gevent.sleep(0)" in line.group()
        assert "raw_app.py" in line.group().split(" < ")[0], "the innermost call comes first"
        assert "secret" not in line.group()
        assert server.log.count("blocked the worker") == 1


@pytest.mark.parametrize("way", ["python", "sleep"])
def test_every_second_that_a_view_holds_the_worker_is_said_by_default(serve_raw, clients, way):
    """It takes 1.4 s, wherever between two heartbeats it begins."""
    with serve_raw() as server:
        for count in range(1, 5):
            client = clients(server, "/holds")
            client.send(frame(TEXT, f"{way} 1.4"))
            assert client.receive() == (TEXT, b"done")
            wait_for(lambda n=count: server.log.count("blocked the worker for 1.") == n, "the line")
            time.sleep(0.13 * count)  # another part of the interval
        assert len(re.findall(rf"blocked the worker for 1\.\d seconds: {VIEW}", server.log)) == 4


def test_half_a_second_is_not_worth_a_line(serve_raw, clients):
    with serve_raw() as server:
        client = clients(server, "/holds")
        for _ in range(3):
            client.send(frame(TEXT, "python 0.5"))
            assert client.receive() == (TEXT, b"done")
        client.send(frame(TEXT, "python 1.4"))
        assert client.receive() == (TEXT, b"done")
        server.wait_for_log("blocked the worker")
        assert server.log.count("blocked the worker") == 1


@pytest.mark.parametrize("way", ["python", "sleep"])
def test_a_worker_that_is_aborted_says_where_and_says_goodbye(serve_raw, clients, way):
    with serve_raw("--timeout", "2") as server:
        others = [clients(server, "/echo") for _ in range(20)]
        stubborn, guilty = clients(server, "/stubborn"), clients(server, "/holds")
        guilty.send(frame(TEXT, f"{way} 600"))
        assert {other.receive_close() for other in [*others, stubborn]} == {AWAY}
        assert guilty.receive_close() == (1011, "")
        said = rf"blocked the worker for longer than gunicorn's timeout \(2 s\).*: {VIEW}"
        assert re.search(said, server.log)
        beside = r"Ended with it, 1 times: '/stubborn' .*raw_app\.py:\d+ stubborn"
        wait_for(lambda: re.search(beside, server.log), "what else was going on")
        assert "/echo" not in server.log.partition("CRITICAL")[2].replace('"GET /echo', "")
        again = clients(server, "/echo")
        again.send(frame(TEXT, "a new worker serves"))
        assert again.receive() == (TEXT, b"a new worker serves")


@pytest.mark.parametrize("way", ["c", "locked"])
def test_code_in_c_that_lets_no_python_run_is_named_before_the_end(serve_raw, clients, way):
    with serve_raw("--timeout", "3") as server:
        guilty = clients(server, "/holds")
        guilty.send(frame(TEXT, f"{way} 600"))
        server.wait_for_log("was sent SIGKILL")
        if way == "c":
            assert re.search(rf"Blocked for [23]\.\d seconds by now: {VIEW}", server.log)
        else:
            assert re.search(r"raw_app\.py", server.log), server.log
