#!/usr/bin/python3
"""Backups of the site SITE. Run as root:

SITE-backup now                a backup, verified: what the timer does every night
SITE-backup list               the backups that there are
SITE-backup fetch SNAPSHOT     bring one to this host ("latest", or an id) and verify it
SITE-backup restore            put what was fetched in place of database and uploaded files;
                               what it replaces is saved first, unless you add --discard
SITE-backup initialise         make the repository
SITE-backup restic WORDS…      restic itself, with the site's repository and key
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import database
import repository
from place import (
    DUMP,
    FETCHED,
    LAST,
    MANIFEST,
    METRICS,
    REPOSITORY,
    SETTINGS,
    SITE,
    STAGED,
    STATE,
    fetched,
    write,
)
from tools import Refused, explain


def main(words: list[str]) -> int:
    match words:
        case ["now"]:
            back_up()
        case ["list"]:
            say(repository.listing())
        case ["fetch", snapshot]:
            fetch(snapshot)
        case ["restore"]:
            restore(discard=False)
        case ["restore", "--discard"]:
            restore(discard=True)
        case ["initialise"]:
            say(repository.initialise())
        case ["restic", *others]:
            return repository.interactive(*others)
        case _:
            raise Refused((__doc__ or "").replace("SITE", SITE))
    return 0


def back_up() -> None:
    begun = time.time()
    try:
        with alone():
            repository.require()
            snapshot = save(repository.REGULAR)
            repository.forget()
            repository.verify()
    except (Refused, OSError):
        write_metrics(failed=True)
        raise
    write(LAST, f"{int(begun)}\n")
    write_metrics(failed=False, seconds=time.time() - begun)
    say(f"Backup {snapshot} of the site {SITE} is in {REPOSITORY}, and was read back from there.")


def save(tag: str) -> str:
    """Into the repository, and the database back from there; return the id of the backup."""
    shutil.rmtree(STAGED, ignore_errors=True)
    STAGED.mkdir(parents=True)
    try:
        database.dump(DUMP)
        MANIFEST.write_text(json.dumps(manifest(), indent=1))
        own = [str(STAGED), SETTINGS["environment_file"], SETTINGS["media"]]
        snapshot = repository.save(tag, [*filter(None, own), *SETTINGS["paths"]])
        if repository.read_digest(snapshot, DUMP) != repository.digest_of(DUMP):
            raise Refused(f"The backup {snapshot} has not the database that was saved.")
    finally:
        shutil.rmtree(STAGED, ignore_errors=True)
    return snapshot


def manifest() -> dict[str, str]:
    release = Path(SETTINGS["home"], "current")
    return {
        "site": SITE,
        "made": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "release": release.resolve().name if release.exists() else "none",
        "media": SETTINGS["media"],
        "sha256": repository.digest_of(DUMP),
    }


def fetch(snapshot: str) -> None:
    """Nothing else changes. What cannot be restored is refused now, while the site serves."""
    with alone():
        repository.require()
        shutil.rmtree(FETCHED, ignore_errors=True)
        chosen = repository.find(snapshot)
        FETCHED.mkdir()
        repository.restore(chosen, STAGED, FETCHED)
        found = json.loads(fetched(MANIFEST).read_text())
        database.require_whole(fetched(DUMP))
        if repository.digest_of(fetched(DUMP)) != found["sha256"]:
            raise Refused(f"The backup {chosen} has not the database that was saved.")
        if found["media"] and found["media"] != SETTINGS["media"]:
            raise Refused(
                f"The backup {chosen} has uploaded files in {found['media']}, and the site has "
                f"{SETTINGS['media'] or 'none'}: set app_media_url and app_media_root as they were."
            )
        fetched(MANIFEST).write_text(json.dumps(found | {"snapshot": chosen}))
    say(f"Fetched the backup {chosen} of {found['made']}, made beside release {found['release']}.")


def restore(*, discard: bool) -> None:
    """Uploaded files first: of those, nothing is removed."""
    if not fetched(MANIFEST).exists():
        raise Refused(f"Nothing was fetched; first run: {SITE}-backup fetch latest.")
    found = json.loads(fetched(MANIFEST).read_text())
    with alone():
        if not discard and not database.is_empty():
            say(f"What was there is now the backup {save(repository.REPLACED)}.")
        if found["media"]:
            restore_media(found["snapshot"], Path(found["media"]))
        database.restore(fetched(DUMP))
        shutil.rmtree(FETCHED)
    say(f"Restored the backup {found['snapshot']} of {found['made']}.")


def restore_media(snapshot: str, media: Path) -> None:
    """The site's user may have had another number on the old host."""
    owner = media.stat()
    repository.restore(snapshot, media, Path("/"))
    for path in [media, *media.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("A backup or a restore of the site runs already. Wait for it.") from None
        yield


def write_metrics(*, failed: bool, seconds: float = 0) -> None:
    """For node_exporter. When a backup fails, the time of the last good one stays."""
    if not METRICS.is_dir():
        return
    gauges = {
        "last_success_timestamp_seconds": LAST.read_text().strip() if LAST.exists() else "0",
        "last_run_failed": str(int(failed)),
    }
    if not failed:
        gauges["duration_seconds"] = f"{seconds:.1f}"
    lines = [
        f'# TYPE site_backup_{name} gauge\nsite_backup_{name}{{site="{SITE}"}} {value}\n'
        for name, value in gauges.items()
    ]
    file = METRICS / f"{SITE}-backup.prom"
    write(file, "".join(lines))
    file.chmod(0o644)


def say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.umask(0o077)
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as error:
        sys.exit(f"{SITE}-backup: {error}")
    except OSError as error:
        sys.exit(f"{SITE}-backup: {explain('Python', str(error))}")
