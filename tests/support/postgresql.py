"""A PostgreSQL of the test run's own, from Debian's package, on a socket in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .server import PATIENCE, wait_for

VERSIONS = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder of the newest installed server, or None."""
    found = [path.parent for path in VERSIONS.glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database, for ``DATABASE_URL``."""
    folder = programs()
    if folder is None:
        raise RuntimeError("PostgreSQL is not installed: run make test, or apt install postgresql")
    # Under /tmp: the path of a unix socket is at most 107 bytes long.
    home = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    user = _unprivileged(home)
    subprocess.run(
        [folder / "initdb", "--auth=trust", "--username=test", "--no-sync", "-D", home / "data"],
        check=True, capture_output=True, user=user, cwd=home,
    )  # fmt: skip
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                folder / "postgres", "-D", home / "data", "-k", home,
                "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50",
            ],
            stdout=log, stderr=log, user=user, cwd=home,
        )  # fmt: skip
    try:
        ready = [folder / "pg_isready", "-q", "-h", home, "-U", "test"]
        wait_for(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL to start")
        yield f"postgres://test@/postgres?host={home}"
    finally:
        server.send_signal(signal.SIGINT)  # "fast" shutdown: clients are disconnected
        server.wait(PATIENCE)
        shutil.rmtree(home)


def _unprivileged(home: Path) -> int | None:
    """PostgreSQL refuses to run as root; then it runs as the package's user."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres")
    os.chown(home, user.pw_uid, user.pw_gid)
    return user.pw_uid
