"""`make run` and its relatives: what a person sees when things go right, and when they do not."""

import os
import signal
import socket
import subprocess

import pytest

from support.ports import free_port
from support.raw_http import get
from support.stack import READY, ROOT, Stack, wait_for

PROGRAMS = [
    "http:http-1", "http:http-2", "nginx", "redis", "websocket:websocket-1", "websocket:websocket-2"
]  # fmt: skip


@pytest.fixture
def make_stack(tmp_path_factory):
    """Makes stacks of one's own; whatever they leave running is a failure."""
    made = []

    def make(folder: str = "state", port: int | None = None, **environment: str) -> Stack:
        made.append(Stack(tmp_path_factory.mktemp("run") / folder, port, **environment))
        return made[-1]

    yield make
    for stack in made:
        assert stack.processes() == []


def fails(stack: Stack, *sentences: str) -> None:
    """It ends by itself with an error, says why, and leaves nothing running."""
    stack.launch()
    assert stack.wait() == 1
    for sentence in sentences:
        assert sentence in stack.output
    assert "deploy/local/__main__.py" not in stack.output, "a traceback of its own"
    assert stack.processes() == []


def test_it_needs_no_network_once_all_is_installed_and_ctrl_c_ends_everything(make_stack, tmp_path):
    for program in ("apt-get", "sudo", "pip"):
        (tmp_path / program).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / program).chmod(0o755)
    nowhere = "http://127.0.0.1:9/"
    network = {"PIP_INDEX_URL": nowhere, "https_proxy": nowhere, "http_proxy": nowhere}
    path = f"{tmp_path}:{os.environ['PATH']}"
    stack = make_stack("a folder with spaces", PATH=path, **network).start()
    assert stack.url in stack.output
    assert "Installing" not in stack.output
    assert len(stack.processes()) > len(PROGRAMS)

    stack.interrupt()
    assert stack.wait() == 0
    assert stack.output.endswith("Stopped.\n")
    assert stack.processes() == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_so_does_a_closed_terminal_and_a_killed_runner(make_stack, number):
    stack = make_stack().start()
    stack.interrupt(number)
    stack.wait()
    wait_for(lambda: stack.processes() == [])


def test_it_can_be_looked_at_and_stopped_from_another_terminal(make_stack):
    stack = make_stack().start()
    status = stack.do("status")
    assert [line.split()[0] for line in status.stdout.splitlines()] == PROGRAMS
    stopped = stack.do("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped.\n")
    assert stack.wait() == 0
    assert stack.processes() == []


def test_ctrl_c_before_it_is_ready(make_stack):
    stack = make_stack()
    stack.launch()
    wait_for(lambda: "Starting" in stack.output)
    stack.interrupt()
    assert stack.wait() == 0, stack.output
    assert READY not in stack.output


def test_a_port_that_is_taken(make_stack):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        fails(make_stack(port=port), f"Port {port} is taken", "make run PORT=")


def test_a_stack_that_runs_already(stack):
    second = Stack(stack.state, free_port())
    second.launch()
    assert second.wait() == 1
    assert "runs in" in second.output
    assert "make stop" in second.output
    assert get(stack.port, "/").status == 200


def test_a_setting_that_django_cannot_read(make_stack):
    fails(make_stack(DATABASE_URL="nonsense"), "manage.py check", "DATABASE_URL")


def test_a_setting_that_a_check_refuses(make_stack):
    environment = {
        "DJANGO_SETTINGS_MODULE": "support.probe.broken",
        "PYTHONPATH": str(ROOT / "tests"),
    }
    fails(make_stack(**environment), "manage.py check", "WEBSOCKET_URLCONF")


def test_a_gunicorn_that_does_not_start(make_stack):
    stack = make_stack(WEBSOCKET_WORKER_CLASS="no.such.Worker")
    fails(stack, "websocket-", "does not stay up", "no.such.Worker")


def test_a_folder_that_is_too_deep_for_sockets(make_stack):
    fails(make_stack("deep" * 30), "too long a path", "make run STATE_DIR=")


def test_a_folder_that_cannot_be_written(make_stack):
    stack = make_stack("state")
    stack.state.touch()
    fails(stack, "cannot be written", "make run STATE_DIR=")


@pytest.mark.parametrize(("command", "status"), [("status", 1), ("logs", 1), ("stop", 0)])
def test_nothing_runs(make_stack, command, status):
    answer = make_stack().do(command)
    assert answer.returncode == status
    assert len((answer.stdout + answer.stderr).splitlines()) == 1


def test_make_lists_every_target_with_a_line():
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    phony = (ROOT / "Makefile").read_text().rpartition(".PHONY:")[2].replace("\\\n", " ").split()
    assert [line.split()[0] for line in listed.splitlines()] == phony
    assert all(len(line.split()) > 2 for line in listed.splitlines())
