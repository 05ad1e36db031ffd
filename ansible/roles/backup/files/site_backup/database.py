"""The site's database: into a file, and back, all of it or nothing."""

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from place import environment
from tools import Refused, check, run

#: Seconds that a restore waits for somebody else who uses the database.
PATIENCE = 60
_TABLES = "SELECT count(*) FROM pg_tables WHERE tableowner = current_user"
#: Whatever the release of today has made would be in the way of the migrations to come.
_EMPTY = f"""\
BEGIN; SET LOCAL lock_timeout = '{PATIENCE}s'; SET LOCAL client_min_messages = warning;
DROP OWNED BY CURRENT_USER CASCADE; CREATE SCHEMA IF NOT EXISTS public;
"""


def is_empty() -> bool:
    return _psql("--tuples-only", "--no-align", f"--command={_TABLES}").strip() == "0"


def dump(file: Path) -> None:
    # restic compresses, and saves once what has not changed since yesterday.
    run("pg_dump", "--format=custom", "--compress=0", f"--file={file}")
    require_whole(file)


def require_whole(file: Path) -> None:
    """All of it is read."""
    run("pg_restore", "--file=/dev/null", str(file))


def restore(file: Path) -> None:
    """In one transaction: when anything fails, the database is as it was."""
    with tempfile.TemporaryFile("w+") as errors, tempfile.NamedTemporaryFile("w+") as contents:
        # Who is no superuser may make an extension, but not comment on it.
        lines = run("pg_restore", "--list", str(file)).splitlines(keepends=True)
        contents.writelines(line for line in lines if "COMMENT - EXTENSION" not in line)
        contents.flush()
        psql = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"],
            stdin=subprocess.PIPE, stderr=errors, env=environment(), cwd="/",
        )  # fmt: skip
        is_complete = False
        with contextlib.suppress(BrokenPipeError):
            is_complete = _replace(psql.stdin, file, contents.name)  # type: ignore[arg-type]
        with contextlib.suppress(BrokenPipeError):
            psql.communicate()
        check("psql", psql.returncode, errors)
        if not is_complete:
            raise Refused(f"pg_restore cannot read {file} to its end: fetch the backup again.")
    _psql("--command=ANALYZE")


def _replace(psql: IO[bytes], file: Path, contents: str) -> bool:
    """Whether all of it was sent. Without the last line, PostgreSQL takes all of it back."""
    psql.write(_EMPTY.encode())
    psql.flush()
    sent = subprocess.run(
        ["pg_restore", "--no-owner", "--no-acl", f"--use-list={contents}", "--file=-", file],
        stdout=psql, check=False, cwd="/",
    )  # fmt: skip
    if sent.returncode == 0:
        psql.write(b"COMMIT;\n")
        psql.flush()
    return sent.returncode == 0


def _psql(*words: str) -> str:
    return run("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *words)
