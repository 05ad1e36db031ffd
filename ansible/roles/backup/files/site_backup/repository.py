"""The repository of restic: what is in it, into it, and out of it."""

import hashlib
import json
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from place import CONFIG, MADE, REPOSITORY, SETTINGS, SITE, environment, write
from tools import NO_REPOSITORY, Refused, check, run

#: How backups are marked, and those of what a restore replaces.
REGULAR, REPLACED = "regular", "before-restore"
_REPLACED_KEPT = 3
#: With this status, restic has made a backup without some files.
_INCOMPLETE = 3


def initialise() -> str:
    """Unless there is one that the key opens; return what was done."""
    done = f"The repository {REPOSITORY} is there."
    try:
        require()
    except Refused as error:
        if not str(error).startswith(NO_REPOSITORY):
            raise
        restic("init")
        done = f"Made the repository {REPOSITORY}."
    write(MADE, REPOSITORY)
    return done


def require() -> None:
    restic("unlock")  # by those who have died
    restic("cat", "config")


def listing() -> str:
    return restic("snapshots", "--host", SITE, "--compact")


def find(snapshot: str) -> str:
    """The id of a backup. The latest is none of what a restore has replaced."""
    which = ("--tag", REGULAR) if snapshot == "latest" else (snapshot,)
    found = json.loads(restic("snapshots", "--json", "--host", SITE, *which) or "[]") or []
    if not found:
        raise Refused(
            f"{REPOSITORY} has no backup {snapshot} of the site {SITE}: {SITE}-backup list."
        )
    latest = max(found, key=lambda each: datetime.fromisoformat(each["time"]))
    return str(latest["short_id"])


def save(tag: str, paths: list[str]) -> str:
    """Return the id of the new backup."""
    if missing := [path for path in paths if not Path(path).exists()]:
        raise Refused(f"What is to be saved is not there: {', '.join(missing)}.")
    command = ("backup", "--json", "--host", SITE, "--tag", tag, *paths)
    # A file that somebody removes meanwhile counts as an error; not twice.
    said = restic(*command, allowed=(_INCOMPLETE,)) or restic(*command)
    return str(json.loads(said.splitlines()[-1])["snapshot_id"])[:8]


def forget() -> None:
    keep = [f"--keep-{period}={count}" for period, count in SETTINGS["keep"].items() if int(count)]
    if keep:
        ours = ("forget", "--host", SITE, "--group-by", "host,tags")
        restic(*ours, "--tag", REPLACED, f"--keep-last={_REPLACED_KEPT}")
        restic(*ours, "--tag", REGULAR, *keep, "--prune")


def verify() -> None:
    percent = SETTINGS["check_percent"]
    restic("check", *([f"--read-data-subset={percent}%"] if percent else []))


def restore(snapshot: str, path: Path, target: Path) -> None:
    restic("restore", snapshot, "--target", str(target), "--include", str(path))


def read_digest(snapshot: str, path: Path) -> str:
    """Of a file, as it comes out of the repository."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            ["restic", *_options(), "dump", snapshot, str(path)],
            stdout=subprocess.PIPE, stderr=errors, env=environment(),
        )  # fmt: skip
        found = digest(process.stdout) if process.stdout else ""
        check("restic", process.wait(), errors)
    return found


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return digest(file)


def digest(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while data := file.read(1 << 20):
        found.update(data)
    return found.hexdigest()


def restic(*words: str, allowed: tuple[int, ...] = ()) -> str:
    return run("restic", *_options(), *words, allowed=allowed)


def interactive(*words: str) -> int:
    """restic as a person calls it; return its status."""
    command = ["restic", *_options(), *words]
    return subprocess.run(command, env=environment(), check=False).returncode


def _options() -> list[str]:
    """With sftp, ssh has a configuration of its own."""
    if not REPOSITORY.startswith("sftp:"):
        return []
    host, port = REPOSITORY.removeprefix("sftp:").partition(":")[0], ""
    if REPOSITORY.startswith("sftp://"):
        parts = urlsplit(REPOSITORY)
        host = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname or ""
        port = f"-p {parts.port} " if parts.port else ""
    return ["--option", f"sftp.command=ssh -F {CONFIG}/ssh_config {port}{host} -s sftp"]
