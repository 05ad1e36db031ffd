"""Faults that need a stack of their own: another broker or database, a small disk, another clock.

Each is a context manager, which takes the folder for the stack's state and gives the stack, which
runs, and the fault.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from support.postgresql import running_postgresql
from support.redis import redis_cluster, redis_sentinel, redis_server
from support.server import ROOT
from support.stack import Stack, probed_stack, running, wait_for

from .scene import Fault

World = Callable[[Path], AbstractContextManager[tuple[Stack, Fault]]]

#: How long an outage lasts that somebody ends.
SECONDS = 5


@contextlib.contextmanager
def sentinel_failover(state: Path) -> Iterator[tuple[Stack, Fault]]:
    """The primary is killed, and does not come back."""
    with (
        redis_sentinel(down_after=2000) as (url, primary, replica),
        running(probed_stack(state, REDIS_URL=url)) as stack,
    ):

        def kill(stack: Stack) -> None:
            primary.kill()
            wait_for(lambda: replica.call("ROLE")[0] == "master", "the replica to be promoted")

        yield stack, kill


@contextlib.contextmanager
def cluster_failover(state: Path) -> Iterator[tuple[Stack, Fault]]:
    """A node is killed, and its replica takes over its slots."""
    with (
        redis_cluster(replica=True) as (url, primary, replica),
        running(probed_stack(state, REDIS_URL=url)) as stack,
    ):

        def kill(stack: Stack) -> None:
            primary.kill()
            replica.call("CLUSTER", "FAILOVER", "TAKEOVER")
            wait_for(lambda: replica.call("ROLE")[0] == "master", "the replica to take over")

        yield stack, kill


@contextlib.contextmanager
def postgresql_restart(state: Path) -> Iterator[tuple[Stack, Fault]]:
    with (
        running_postgresql() as server,
        running(probed_stack(state, DATABASE_URL=server.url)) as stack,
    ):
        yield stack, lambda stack: server.restart()


@contextlib.contextmanager
def full_disk(state: Path) -> Iterator[tuple[Stack, Fault]]:
    """The file system with Redis' data, the database and the logs has no byte left for a while."""
    if os.geteuid() != 0:
        raise PermissionError("only root can mount a small file system")
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "faults", state], check=True)
    try:
        with running(probed_stack(state)) as stack:
            yield stack, fill
    finally:
        subprocess.run(["umount", state], check=True)


def fill(stack: Stack) -> None:
    filler = stack.state / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    time.sleep(SECONDS)
    filler.unlink()


@contextlib.contextmanager
def clock(state: Path, seconds: int) -> Iterator[tuple[Stack, Fault]]:
    """The wall clock is set, for every process but Redis, which does not start with a false one."""
    file = state.with_name(f"{state.name}.clock")
    file.write_text("+0")
    fakeclock = ROOT / "tests" / "support" / "fakeclock"
    environment = {
        "PYTHONPATH": os.pathsep.join(map(str, (fakeclock, ROOT / "app", ROOT / "tests"))),
        "LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1",
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with (
        redis_server() as server,
        running(probed_stack(state, REDIS_URL=server.url, **environment)) as stack,
    ):

        def set_clock(stack: Stack) -> None:
            file.write_text(f"{seconds:+d}")

        yield stack, set_clock


WORLDS: dict[str, World] = {
    "Sentinel: SIGKILL of the primary": sentinel_failover,
    "Cluster: SIGKILL of a node, takeover by its replica": cluster_failover,
    "restart of PostgreSQL": postgresql_restart,
    "full disk for 5 s": full_disk,
    "clock set forward by an hour": lambda state: clock(state, 3600),
    "clock set back by an hour": lambda state: clock(state, -3600),
}
