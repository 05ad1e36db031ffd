"""Restarts one instance after another, each when the previous one is ready; then the rest."""

import contextlib
import http.client
import itertools
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from programs import Program, Supervisor

#: The longest stopwaitsecs of a program, and a little more.
STOP_SECONDS = 620
SECONDS_BETWEEN_LOOKS = 0.1
ENDED = ("STOPPED", "EXITED", "FATAL", "BACKOFF", "UNKNOWN")


class Problem(Exception):
    """A program does not stop or does not become ready. Nothing after it is restarted."""


@dataclass(frozen=True)
class Wanted:
    """What the processes should run on: the folder of a release, and the id of the settings."""

    release: str
    settings: str

    def is_missed_by(self, program: Program) -> bool:
        return (program.release, program.settings) != (self.release, self.settings)


def rolling_restart(supervisor: Supervisor, wanted: Wanted | None) -> list[str]:
    """Restart what does not run on ``wanted``, or everything. Returns the names. Raises Problem for
    the first program that does not become ready, and leaves the rest as it is."""
    programs = [each for each in supervisor.programs() if not wanted or wanted.is_missed_by(each)]
    gunicorns = sorted((each for each in programs if each.is_gunicorn), key=_instance)
    for _, instance in itertools.groupby(gunicorns, key=_instance):
        _restart(supervisor, list(instance))
    for program in programs:
        if not program.is_gunicorn:
            _restart(supervisor, [program])
    return [each.name for each in programs]


def wait_until_ready(supervisor: Supervisor) -> None:
    """Raises Problem for the first program that does not become ready."""
    deadline = _readiness_deadline()
    for program in supervisor.programs():
        _wait_until_ready(supervisor, program.name, deadline)


def _instance(program: Program) -> int:
    return program.instance


def _restart(supervisor: Supervisor, programs: list[Program]) -> None:
    """Restart all of them at the same time."""
    names = [program.name for program in programs]
    sys.stdout.write(f"Restarting {', '.join(names)}\n")
    sys.stdout.flush()
    for name in names:
        supervisor.stop(name)
    for name in names:
        _wait_for_its_end(supervisor, name)
        supervisor.start(name)
    deadline = _readiness_deadline()
    for name in names:
        _wait_until_ready(supervisor, name, deadline)


def _readiness_deadline() -> float:
    return time.monotonic() + int(os.environ.get("APP_READINESS_TIMEOUT", "60"))


def _wait_for_its_end(supervisor: Supervisor, name: str) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while (program := supervisor.program(name)).state not in ENDED:
        if time.monotonic() > deadline:
            raise Problem(f"{name} does not stop; it is {program.state}.")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _wait_until_ready(supervisor: Supervisor, name: str, deadline: float) -> None:
    while reason := _why_not_ready(program := supervisor.program(name)):
        if program.state == "FATAL" or time.monotonic() > deadline:
            raise Problem(f"{name} does not get ready: {reason}\n{_end_of(program.log)}")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _why_not_ready(program: Program) -> str | None:
    if not program.is_gunicorn:
        return None if program.state == "RUNNING" else f"it is {program.state}"
    if program.state not in ("STARTING", "RUNNING"):
        return f"it is {program.state}"
    path = os.environ.get("APP_READINESS_PATH", "/readyz")
    answer = _ask(program.address, path)
    return None if answer == "200" else f"{path} is answered with {answer}"


def _ask(address: str, path: str) -> str:
    """The HTTP status, or why there is none."""
    connection = http.client.HTTPConnection("localhost", timeout=5)
    host = os.environ.get("APP_HOST", "localhost")
    try:
        with contextlib.closing(connection):
            connection.sock = _connect(address)
            connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
            return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__


def _connect(address: str) -> socket.socket:
    """``address`` is as in gunicorn's ``bind``; a relative path is below the state folder."""
    if path := address.removeprefix("unix:") if address.startswith("unix:") else "":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(path)
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=5)


def _end_of(log: str, lines: int = 20) -> str:
    try:
        return "\n".join(Path(log).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
