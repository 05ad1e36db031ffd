"""The shipped stack, started as `make run` starts it, on a port and in a folder of its own."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import websocket

from .gunicorn import shipped_settings
from .ports import free_port
from .server import CLIENT, OUR_WORKER, PATIENCE, ROOT, wait_for

WORKER = shipped_settings("websocket")["worker_class"]
READY = "Ctrl-C ends it."

needs_our_worker = pytest.mark.skipif(
    WORKER != OUR_WORKER, reason="gevent-websocket's own worker sends the 101 before Django runs"
)


def probed_stack(state: Path, **environment: str) -> "Stack":
    """The stack with the views of ``support.probe`` beside those of the project."""
    found = os.pathsep.join([str(ROOT / "app"), str(ROOT / "tests")])
    return Stack(
        state,
        **{"DJANGO_SETTINGS_MODULE": "support.probe.settings", "PYTHONPATH": found} | environment,
    )


@contextlib.contextmanager
def running(stack: "Stack") -> Iterator["Stack"]:
    """Start it, and stop it afterwards."""
    stack.start()
    try:
        yield stack
    finally:
        stack.stop()


def open_many_files() -> None:
    """Let this process, and what it starts, open as many files as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Stack:
    """``state`` is its folder. Start it with ``start()`` and end it with ``stop()``."""

    def __init__(self, state: Path, port: int | None = None, **environment: str):
        self.state = state
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}/"
        # As many as nginx's files name for a checkout, however many cores there are.
        two = {"HTTP_INSTANCES": "2", "WEBSOCKET_INSTANCES": "2"}
        self.environment = os.environ | two | environment
        self._output = state.with_name(f"{state.name}.output")
        self._process: subprocess.Popen | None = None

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(ROOT / "deploy" / "local"), "--state", str(self.state), *words]

    def do(self, *words: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run another command of the runner and give what it said."""
        return subprocess.run(
            self.command(*words),
            check=False, capture_output=True, text=True, timeout=timeout, env=self.environment,
        )  # fmt: skip

    def launch(self) -> None:
        """Run it, without waiting for anything."""
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                self.command("run", "--port", str(self.port)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )

    def start(self) -> "Stack":
        """Run it and wait until it says that it answers."""
        self.launch()
        wait_for(lambda: READY in self.output or self._process.poll() is not None)
        assert READY in self.output, self.output
        return self

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """The exit status."""
        return self._process.wait(timeout)

    def stop(self) -> None:
        """Press Ctrl-C and expect that nothing is left of it."""
        self.interrupt()
        assert self.wait() == 0, self.output
        assert self.processes() == []

    @property
    def output(self) -> str:
        return self._output.read_text()

    def log(self, program: str) -> str:
        return (self.state / "log" / f"{program}.log").read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Every process that works in the state folder."""
        return [
            process
            for process in psutil.process_iter(["cwd"])
            if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(self.state)
        ]

    def pid(self, program: str) -> int | None:
        """The process that supervisor runs as ``program`` ("http:http-1"); None when it is down."""
        for line in self.do("status").stdout.splitlines():
            name, state, *rest = line.split()
            if name == program and state in ("RUNNING", "STARTING"):
                return int(rest[1].rstrip(",")) if rest[:1] == ["pid"] else None
        return None

    def wait_until_whole(self) -> None:
        """Until every program is up again, whatever an earlier test has done to it."""

        def whole() -> bool:
            lines = self.do("status").stdout.splitlines()
            return bool(lines) and all(line.split()[1] == "RUNNING" for line in lines)

        wait_for(whole, "every program to run")

    def connect(self, path: str, **options) -> websocket.WebSocket:
        """A client's open socket."""
        return websocket.create_connection(f"ws://localhost:{self.port}{path}", **CLIENT | options)
