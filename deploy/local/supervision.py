"""Starts supervisord in the foreground, watches it until the stack answers, and ends all of it."""

import ctypes
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from readiness import Endpoint
from state import State
from terminal import Problem, indented, say
from virtualenv import VirtualEnvironment

START_SECONDS = 60
# The sum of all programs' stopwaitsecs, and a little more.
STOP_SECONDS = 120
EXITS_THAT_CONVINCE = 3
PR_SET_PDEATHSIG = 1


class Supervisor:
    """One supervisord for the life of one command. Ctrl-C, SIGTERM and a closed terminal end it,
    and so does the end of this process, for any reason."""

    def __init__(self, state: State, virtual_environment: VirtualEnvironment):
        self._state = state
        self._log_start = _size(state.supervisord_log)
        self._stop_requests = 0
        #: A signal may arrive before there is a process.
        self._started = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [virtual_environment.bin / "supervisord", "--nodaemon", "--silent",
             "--configuration", state.checkout / "deploy" / "supervisor" / "supervisord.conf"],
            cwd=state.path,
            env=state.environment(virtual_environment.path),
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )  # fmt: skip
        self._started = True
        if self._stop_requests:
            self._process.terminate()

    def wait_until_ready(self, endpoint: Endpoint) -> bool:
        """True if the stack answers, False if a stop was requested first. Raises ``Problem`` with
        the end of the log that shows why it does not answer."""
        deadline = time.monotonic() + START_SECONDS
        while not self._stop_requests:
            self._fail_if_it_fails()
            problem = endpoint.problem()
            if problem is None:
                return True
            if time.monotonic() > deadline:
                logs = self._state.target("logs")
                raise Problem(f"Not ready after {START_SECONDS} s: {problem}. Read: {logs}")
            time.sleep(0.1)
        return False

    def wait(self) -> None:
        """Wait until it ends. Raises ``Problem`` if nobody requested that."""
        if self._process.wait() != 0 and not self._stop_requests:
            raise Problem(f"supervisord ended by itself. Read: {self._state.supervisord_log}")

    def end(self) -> None:
        """End it and all that it started, at the latest after the graceful timeouts."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._state.signal_processes(signal.SIGKILL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_requests += 1
        if self._stop_requests == 1:
            say("\nStopping. Ctrl-C again ends it at once.")
            if self._started:
                self._process.terminate()
        else:
            self._state.signal_processes(signal.SIGKILL)

    def _fail_if_it_fails(self) -> None:
        if self._process.poll() is not None and not self._stop_requests:
            raise Problem(
                f"supervisord does not start. {self._state.supervisord_log} ends:\n"
                + indented(_tail(self._state.supervisord_log))
            )
        for program, exits in self._unexpected_exits().items():
            if exits >= EXITS_THAT_CONVINCE:
                log = self._state.log / f"{program}.log"
                raise Problem(
                    f"{program} does not stay up; its last words:\n{indented(_tail(log))}"
                )

    def _unexpected_exits(self) -> Counter[str]:
        """How often each program has exited by itself since supervisord was started."""
        if not self._state.supervisord_log.exists():
            return Counter()
        log = self._state.supervisord_log.read_bytes()[self._log_start :].decode(errors="replace")
        return Counter(re.findall(r"exited: (\S+) \(.*; not expected\)", log))


def _end_with_parent() -> None:
    """Runs in the child: it gets SIGTERM when the parent ends (Linux, prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tail(path: Path, lines: int = 20) -> str:
    return (
        "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""
    )
