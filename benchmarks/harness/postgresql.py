"""A PostgreSQL of the run's own, from Debian's package, on a socket in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .server import DIES_WITH_US

TIMEOUT = 30  # seconds, to start


def programs() -> Path | None:
    """The folder of the newest installed server, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


@contextlib.contextmanager
def running_postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database. It runs on the core of the clients."""
    home = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    user = _unprivileged(home)

    def run(*command: str | Path) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=quiet, stderr=quiet, user=user, cwd=home)

    make: list[str | Path]
    make = [folder / "initdb", "--auth=trust", "--username=bench", "--no-sync", "-D", home / "data"]
    if run(*make).wait():
        raise RuntimeError("PostgreSQL cannot make a database: try initdb by hand")
    server = run(
        *DIES_WITH_US, folder / "postgres", "-D", home / "data", "-k", home,
        "-c", "listen_addresses=", "-c", "fsync=off",
    )  # fmt: skip
    try:
        deadline = time.monotonic() + TIMEOUT
        while run(folder / "pg_isready", "-q", "-h", home, "-U", "bench").wait():
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(0.1)
        yield f"postgres://bench@/postgres?host={home}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(TIMEOUT)
        shutil.rmtree(home)


def _unprivileged(home: Path) -> int | None:
    """PostgreSQL refuses to run as root; then it runs as the package's user."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres")
    os.chown(home, user.pw_uid, user.pw_gid)
    return user.pw_uid
