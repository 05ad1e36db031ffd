"""A peer's server: started on its own core, watched, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from .model import Peer

START_TIMEOUT = 30  # seconds
STOP_TIMEOUT = 10


class ServerFailed(Exception):
    """The server did not start, or ended by itself. The text says why."""


@dataclass(frozen=True)
class Site:
    """What every server gets: its core, its environment, and the cookie that logs a client in."""

    core: int
    environment: dict[str, str]
    cookie: str


@dataclass(frozen=True)
class Server:
    peer: Peer
    port: int
    cookie: str
    process: psutil.Process

    def url(self, logged_in: bool) -> str:
        return f"ws://127.0.0.1:{self.port}/{'private' if logged_in else 'public'}/"

    def headers(self, logged_in: bool) -> dict[str, str]:
        """What a browser on a page of this host sends."""
        origin = {"Origin": f"http://127.0.0.1:{self.port}"}
        return origin | {"Cookie": self.cookie} if logged_in else origin

    def resident_memory(self) -> int:
        """Bytes, of the process and its children."""
        return sum(process.memory_info().rss for process in self._processes())

    def cpu_time(self) -> float:
        """Seconds that the process and its children have computed."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(time.user + time.system for time in times)

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextlib.contextmanager
def running(peer: Peer, site: Site) -> Iterator[Server]:
    """Start ``peer`` and end it; raises :class:`ServerFailed`."""
    port = _free_port()
    command = [word.replace("{port}", str(port)) for word in peer.command]
    with tempfile.TemporaryFile("w+") as log:
        try:
            process = subprocess.Popen(
                ["taskset", "--cpu-list", str(site.core), *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=site.environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ServerFailed(f"{error.filename} is missing: install util-linux") from error
        try:
            _wait_until_listening(process, port, log)
            yield Server(peer, port, site.cookie, psutil.Process(process.pid))
        finally:
            _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    log.seek(0)
    state = "is silent" if process.poll() is None else f"ended with {process.returncode}"
    raise ServerFailed(f"{state}; the end of its log:\n{log.read()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # gunicorn's worker would outlive a master that was killed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
