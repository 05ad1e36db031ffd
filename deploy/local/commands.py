"""The steps of each command. Each function returns an exit status."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import application
import debian
from readiness import Endpoint
from state import State
from supervision import STOP_SECONDS, Supervisor
from terminal import Problem, say
from virtualenv import VirtualEnvironment


def run(state: State, virtual_environment: VirtualEnvironment, port: int) -> int:
    """Install, prepare and start everything, and serve until a stop is requested."""
    debian.ensure(debian.FOR_THE_STACK)
    virtual_environment.ensure("requirements.txt")
    state.make()
    endpoint = Endpoint(state, port)
    with _only_one(state):
        endpoint.ensure_free()
        state.stage_nginx(port)
        say("Preparing the database and the static files")
        application.prepare(state, virtual_environment)
        _ensure_nginx_accepts(state)
        say("Starting")
        supervisor = Supervisor(state, virtual_environment)
        try:
            if supervisor.wait_until_ready(endpoint):
                say(f"\n    {endpoint.url}\n")
                say("Ctrl-C ends it. In another terminal: make status, make logs, make stop.")
            supervisor.wait()
        finally:
            supervisor.end()
    say("Stopped.")
    return 0


def stop(state: State, virtual_environment: VirtualEnvironment) -> int:
    """Stop a stack that runs in another terminal, or processes that were left of one."""
    if not any(state.processes()):
        say(f"Nothing runs in {state}.")
        return 0
    if _is_running(state):
        os.kill(int((state.run / "supervisord.pid").read_text()), signal.SIGTERM)
    else:
        state.signal_processes(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(state.processes()):
        if time.monotonic() > deadline:
            state.signal_processes(signal.SIGKILL)
        time.sleep(0.1)
    say("Stopped.")
    return 0


def status(state: State, virtual_environment: VirtualEnvironment) -> int:
    """Print supervisor's status of every program."""
    _ensure_running(state)
    return _supervisorctl(state, virtual_environment, "status")


def restart(state: State, virtual_environment: VirtualEnvironment) -> int:
    """Restart one instance after another, each when the previous one is ready."""
    _ensure_running(state)
    deploy = state.checkout / "deploy"
    return subprocess.run(
        [deploy / "bin" / "run", "python", deploy / "rolling" / "stackctl.py", "roll"],
        cwd=state.path, check=False, env=state.environment(virtual_environment.path),
    ).returncode  # fmt: skip


def logs(state: State, virtual_environment: VirtualEnvironment) -> int:
    """Follow every log until Ctrl-C."""
    files = sorted(state.log.glob("*.log"))
    if not files:
        raise Problem(
            f"There are no logs in {state}/log yet. Start the stack: {state.target('run')}"
        )
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(["tail", "--lines=20", "--follow=name", "--retry", *files], check=False)
    return 0


def prepare(state: State, virtual_environment: VirtualEnvironment) -> int:
    """Install what the stack and the tests need."""
    debian.ensure(debian.FOR_THE_TESTS)
    virtual_environment.ensure("requirements.txt", "requirements-dev.txt")
    return 0


@contextlib.contextmanager
def _only_one(state: State) -> Iterator[None]:
    """Lock the state folder. When this process ends, for any reason, the kernel unlocks it."""
    with state.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Problem(
                f"A stack runs in {state} already. Stop it first: {state.target('stop')}"
            ) from error
        if any(state.processes()):
            raise Problem(
                f"Parts of an earlier stack still run in {state}. End them: {state.target('stop')}"
            )
        yield


def _is_running(state: State) -> bool:
    if not state.lock.exists():
        return False
    with state.lock.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return (state.run / "supervisord.pid").exists()
    return False


def _ensure_running(state: State) -> None:
    if not _is_running(state):
        raise Problem(f"No stack runs in {state}. Start it: {state.target('run')}")


def _ensure_nginx_accepts(state: State) -> None:
    """Raises ``Problem`` with the file and the line that nginx refuses."""
    answer = subprocess.run(
        ["/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-p", state.path,
         "-c", state.path / "nginx" / "nginx.conf"],
        cwd=state.path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if answer.returncode != 0:
        raise Problem(f"nginx refuses its configuration: {answer.stderr.strip()}")


def _supervisorctl(state: State, virtual_environment: VirtualEnvironment, *words: str) -> int:
    return subprocess.run(
        [virtual_environment.bin / "supervisorctl", "--configuration",
         state.checkout / "deploy" / "supervisor" / "supervisord.conf", *words],
        cwd=state.path, check=False, env=state.environment(virtual_environment.path),
    ).returncode  # fmt: skip
