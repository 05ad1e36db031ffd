"""Run restic and PostgreSQL's programs, and say in a sentence why one has failed."""

import signal
import subprocess
import tempfile
from typing import IO

from place import CONFIG, REPOSITORY, SITE, environment

NO_REPOSITORY = (
    f"There is no repository at {REPOSITORY}. If its disk or share is not mounted, mount it. If it "
    f"is gone, name another place in backup_repository, or run: {SITE}-backup initialise."
)
_DAMAGED = (
    "The repository is damaged: what was saved cannot be read back. To see what is lost, run: "
    f"{SITE}-backup restic check --read-data."
)
#: What another try does not mend, after so many of them: about ten seconds.
_TRIES = 4
_HOPELESS = (
    ": eof",
    "unexpected eof",
    "ciphertext verification failed",
    "no such file or directory",
    "file does not exist",
    "key does not exist",
)
_NO_BACKUP = (
    f"{REPOSITORY} has no such backup of the site. To see those it has: {SITE}-backup list."
)

#: What the programs say, in small letters, and what to do about it. The first that fits counts.
_REMEDIES = {
    "wrong password or no key found": f"The key in {CONFIG}/key does not open {REPOSITORY}. Set "
    "backup_key, or vault_backup_key, to the key that the repository was made with.",
    "no space left on device": "The disk is full. Make room, then run this again.",
    "disk quota exceeded": "The quota of the disk is used up. Make room, then run this again.",
    "is there a repository at the following location": NO_REPOSITORY,
    "no snapshot found": _NO_BACKUP,
    "no matching id found": _NO_BACKUP,
    "lock timeout": "Somebody else uses the database. End their connections, which SELECT * FROM "
    "pg_stat_activity shows, then run this again.",
    "server version mismatch": "PostgreSQL is newer than pg_dump. Name the client of its version "
    "in backup_packages.",
    "repository is already locked": "Another backup uses the repository. Wait for it. After one "
    f"that was killed elsewhere, run: {SITE}-backup restic unlock --remove-all.",
    **dict.fromkeys(_HOPELESS, _DAMAGED),
    "not found in repository": _DAMAGED,
    "does not match": _DAMAGED,
    "invalid data returned": _DAMAGED,
    "repository contains errors": _DAMAGED,
    "connection refused": "Nothing answers there. Start it, or correct its address.",
    "password authentication failed": "The database refuses the user: correct the password.",
}


class Refused(Exception):
    """What went wrong, for a person."""


def run(*words: str, allowed: tuple[int, ...] = ()) -> str:
    """What a command prints; nothing where it ends with an allowed status."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            words, stdout=output, stderr=errors, env=environment(), cwd="/",
        )  # fmt: skip
        status = _wait(process, errors)
        output.seek(0)
        if status in allowed:
            return ""
        if status != 0:
            errors.seek(0)
            raise Refused(explain(words[0], errors.read() + output.read()))
        return output.read()


def _wait(process: subprocess.Popen[bytes], errors: IO[str]) -> int:
    """restic reads what is damaged again and again, for a quarter of an hour."""
    while True:
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            errors.seek(0)
            said = errors.read().lower()
            is_stuck = said.count("retrying after") >= _TRIES
            if is_stuck and any(sign in said for sign in _HOPELESS):
                process.send_signal(signal.SIGINT)


def check(program: str, status: int, errors: IO[str]) -> None:
    """The same for a program that was started otherwise."""
    if status != 0:
        errors.seek(0)
        raise Refused(explain(program, errors.read()))


def explain(program: str, said: str) -> str:
    found = [remedy for sign, remedy in _REMEDIES.items() if sign in said.lower()]
    first = found[0] if found else f"{program} has failed."
    return f"{first} {program} said: {' '.join(said.split())[-600:]}"
