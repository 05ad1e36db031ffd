"""A shop that is open: its host, its team, a customer; and what runs there."""

import json
import os
import re
import signal
import time
from dataclasses import dataclass

from controller import Play
from team import Team

from support.shop import Customer

#: Seconds within which every program has come back, and has done something.
PATIENCE = 60


@dataclass(frozen=True)
class Opened:
    """A shop that is open."""

    host: object
    team: Team
    customer: Customer
    certificate: str
    first_runs: Play

    @property
    def version(self) -> str:
        """Of the pages."""
        return self.customer.staff()["pages"]["version"]

    def serving(self) -> dict:
        return json.loads(self.host.ssh("shopctl serving"))

    def wait_for_staff(self, **expected: str) -> None:
        """Until all who work do so in this branch, or on this version."""
        deadline = time.monotonic() + PATIENCE
        while any(
            shift[name] != value
            for shift in self.customer.staff().values()
            for name, value in expected.items()
        ):
            assert time.monotonic() < deadline, f"{expected}: {self.customer.staff()}"
            time.sleep(0.5)

    def visitor(self) -> Customer:
        """Somebody else."""
        return Customer(f"https://{self.host.address}", self.certificate)


def ages(host) -> dict[str, int]:
    """For how many seconds each process has run, by its name."""
    pids = re.findall(r"^(\S+) +RUNNING +pid (\d+)", host.ssh("shopctl status"), re.M)
    return {name: int(host.ssh(f"ps -o etimes= -p {pid}")) for name, pid in pids}


def beats(host) -> int:
    return int(host.ssh("pgrep --count --full 'config beat'", check=False))


def read_until(process, text: str) -> None:
    lines = []
    while text not in (line := process.stdout.readline()):
        lines.append(line)
        assert line, f"{text!r} never came:\n{''.join(lines)[-3000:]}"


def kill(process) -> None:
    """As a power cut of the controller does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
