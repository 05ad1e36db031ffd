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


class PostgreSQL:
    """``url`` is where its empty database is, as ``DATABASE_URL`` wants it."""

    def __init__(self, programs: Path, home: Path) -> None:
        self._programs = programs
        self._home = home
        self._user = _unprivileged(home)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgres://test@/postgres?host={home}"
        self._run("initdb", "--auth=trust", "--username=test", "--no-sync", "-D", home / "data")

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True, capture_output=True, user=self._user, cwd=self._home,
        )  # fmt: skip

    def start(self) -> None:
        home = self._home
        with (home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres", "-D", home / "data", "-k", home,
                    "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50",
                ],
                stdout=log, stderr=log, user=self._user, cwd=home,
            )  # fmt: skip
        ready = [self._programs / "pg_isready", "-q", "-h", home, "-U", "test"]
        wait_for(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL to start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": clients are disconnected
            self._process.wait(PATIENCE)

    def restart(self) -> None:
        self.stop()
        self.start()


@contextlib.contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    folder = programs()
    if folder is None:
        raise RuntimeError("PostgreSQL is not installed: run make test, or apt install postgresql")
    # Under /tmp: the path of a unix socket is at most 107 bytes long.
    home = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    server = PostgreSQL(folder, home)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database, for ``DATABASE_URL``."""
    with running_postgresql() as server:
        yield server.url


def _unprivileged(home: Path) -> int | None:
    """PostgreSQL refuses to run as root; then it runs as the package's user."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres")
    os.chown(home, user.pw_uid, user.pw_gid)
    return user.pw_uid


@contextlib.contextmanager
def pgbouncer(server: PostgreSQL, mode: str) -> Iterator[str]:
    """The URL of the server's database through pgbouncer with ``pool_mode=mode``."""
    home = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir="/tmp"))
    user = _unprivileged(home)
    configuration = home / "pgbouncer.ini"
    configuration.write_text(
        f"""[databases]
postgres = host={server.url.partition("host=")[2]} dbname=postgres user=test
[pgbouncer]
listen_addr =
unix_socket_dir = {home}
auth_type = any
pool_mode = {mode}
"""
    )
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(["/usr/sbin/pgbouncer", configuration], stderr=log, user=user)
    try:
        wait_for(lambda: list(home.glob(".s.PGSQL.*[0-9]")), "pgbouncer to start")
        yield f"postgresql://test@/postgres?host={home}&port=6432"
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(home)
