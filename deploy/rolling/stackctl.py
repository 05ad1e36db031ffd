"""``stackctl serving``, ``roll``, ``ready``: print what each process of a site runs on, restart one
instance after another, wait until all are ready.

Runs in the environment that deploy/bin/run sets, as the site's user, in a checkout and on a host.
"""

import argparse
import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from programs import Supervisor
from restart import Problem, Wanted, rolling_restart, wait_until_ready


def main() -> int:
    parser = argparse.ArgumentParser(prog="stackctl", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serving", help="print as JSON what each process runs on")
    roll = commands.add_parser("roll", help="restart one instance after another")
    roll.add_argument(
        "--outdated",
        action="store_true",
        help="only what does not run on the current release with the current settings",
    )
    commands.add_parser("ready", help="wait until every process is ready")
    arguments = parser.parse_args()
    run = Path(os.environ["STATE_DIR"]) / "run"
    supervisor = Supervisor(run / "supervisor.sock")
    wanted = Wanted(os.environ["RELEASE"], os.environ["SETTINGS_ID"])
    if arguments.command == "serving":
        sys.stdout.write(json.dumps(serving(supervisor, wanted), indent=2) + "\n")
        return 0
    try:
        if arguments.command == "ready":
            wait_until_ready(supervisor)
            return 0
        with _alone(run / "roll.lock"):
            restarted = rolling_restart(supervisor, wanted if arguments.outdated else None)
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    if not restarted:
        sys.stdout.write("Everything runs on the current release with the current settings.\n")
    return 0


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait for another restart: two at once could stop all instances."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stdout.write("Waiting for the end of another restart.\n")
            sys.stdout.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def serving(supervisor: Supervisor, wanted: Wanted) -> dict[str, object]:
    """``release`` and ``settings`` are those of a process that starts now."""
    return {
        "release": Path(wanted.release).name,
        "settings": wanted.settings,
        "programs": [
            {
                "name": program.name,
                "state": program.state,
                "release": Path(program.release).name if program.release else None,
                "settings": program.settings,
                "outdated": wanted.is_missed_by(program),
            }
            for program in supervisor.programs()
        ],
    }


sys.exit(main())
