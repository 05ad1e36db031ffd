"""A peer's server: started on its own core, watched, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import psutil

from .model import Peer
from .ports import free_port, wait_until_listening

STOP_TIMEOUT = 10  # seconds
#: Before a command: the command ends if the benchmark is killed.
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM")


class ServerFailed(Exception):
    """The server did not start, or ended unexpectedly. The text says why."""


@dataclass(frozen=True)
class Site:
    """What every server gets: its core, its environment, and the cookie of a logged-in client."""

    core: int
    environment: dict[str, str]
    cookie: str


@dataclass(frozen=True)
class Server:
    peer: Peer
    port: int
    site: Site
    process: psutil.Process

    def url(self, page: str) -> str:
        return f"ws://127.0.0.1:{self.port}/{page}/"

    def headers(self, logged_in: bool) -> dict[str, str]:
        """The Origin header of a browser on a page of this host."""
        origin = {"Origin": f"http://127.0.0.1:{self.port}"}
        return origin | {"Cookie": self.site.cookie} if logged_in else origin

    def resident_memory(self) -> int:
        """Resident bytes of the process and its children."""
        return sum(process.memory_info().rss for process in self._processes())

    def cpu_time(self) -> float:
        """CPU seconds of the process and its children."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(time.user + time.system for time in times)

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextlib.contextmanager
def running(peer: Peer, site: Site, processes: int) -> Iterator[Server]:
    """Start ``peer`` and end it; raises :class:`ServerFailed`."""
    port = free_port()
    words = {"{port}": str(port), "{processes}": str(processes)}
    command = [_filled_in(word, words) for word in peer.command]
    with tempfile.TemporaryFile("w+") as log:
        try:
            process = subprocess.Popen(
                [*DIES_WITH_US, "taskset", "--cpu-list", str(site.core), *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=site.environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ServerFailed(f"{error.filename} is missing: install util-linux") from error
        try:
            if not wait_until_listening(process, port):
                raise ServerFailed(_reason(process, log))
            yield Server(peer, port, site, psutil.Process(process.pid))
        finally:
            _end(process)


def _filled_in(word: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def _reason(process: subprocess.Popen[bytes], log: IO[str]) -> str:
    log.seek(0)
    state = "is silent" if process.poll() is None else f"ended with {process.returncode}"
    return f"{state}; the end of its log:\n{log.read()[-2000:]}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # gunicorn's worker would outlive a killed master.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
