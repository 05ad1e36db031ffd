"""The command line: what to measure, and what to do with the result."""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peers import PEERS
from scenarios import SCENARIOS

from . import bars, chart, curve, document, facts, readme, table
from .postgresql import programs, running_postgresql
from .redis import running_redis
from .rounds import Run
from .scenario import Scenario
from .server import Site

RESULTS = Path(__file__).resolve().parents[1] / "results"
ROUNDS = 3
SECONDS = 0.8
#: What ``--quick`` measures: where the servers differ most in CPU time, in under two minutes.
QUICK = {
    "scenario": ["echo-16", "echo-64k", "echo-1m", "handshakes-user-postgresql", "fanout-1000-one"],
    "peer": ["ours", "channels-uvicorn", "node-ws", "node-redis", "picows"],
}
STARTED = time.monotonic()


def main() -> int:
    options = _options()
    client_core, server_core = _cores()
    os.sched_setaffinity(0, {client_core})
    _allow_open_files()
    scenarios = _chosen(SCENARIOS, options.scenario)
    with contextlib.ExitStack() as stack:
        environment = {"STATE_DIR": stack.enter_context(tempfile.TemporaryDirectory())}
        if any(scenario.publishes for scenario in scenarios):
            environment["REDIS_URL"] = stack.enter_context(running_redis())
        run = Run(
            site=_site(server_core, environment),
            postgresql=_postgresql(stack, server_core, environment, scenarios),
            scenarios=scenarios,
            peers=_chosen(PEERS, options.peer),
            rounds=options.rounds,
            seconds=options.seconds,
            say=_say,
        )
        run.measure()
    result = document.compose(run, facts.environment(run.peers))
    result["bars"] = list(bars.judge(result))
    report = "\n".join(table.lines(result, result["bars"]))
    print(report)
    _say("Done.")
    if folder := options.output or (RESULTS if _is_whole(options) else None):
        document.save(result, folder)
        chart.draw(result, folder / "latest.svg")
        curve.draw(result, folder / "fanout.svg")
        (folder / "latest.txt").write_text(report.lstrip() + "\n")
        if folder == RESULTS:
            readme.update(result)
    return 1 if run.failures else 0


def _say(text: str) -> None:
    """Print ``text`` with the time since the start."""
    minutes, seconds = divmod(int(time.monotonic() - STARTED), 60)
    print(f"{minutes:3}:{seconds:02}  {text}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run",
        description="Measure every peer in every scenario and write results/. "
        "A run of which a part was chosen only prints, unless --output names a folder. "
        "The exit status is 0 when every peer ran.",
    )
    parser.add_argument("--scenario", action="append", choices=[each.name for each in SCENARIOS])
    parser.add_argument("--peer", action="append", choices=[each.name for each in PEERS])
    parser.add_argument("--quick", action="store_true", help="a small set, in under two minutes")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"default {SECONDS}")
    parser.add_argument("--output", type=Path, help="the folder for the result")
    options = parser.parse_args()
    if options.quick:
        for name, chosen in QUICK.items():
            setattr(options, name, getattr(options, name) or chosen)
        options.rounds, options.seconds = min(options.rounds, 2), min(options.seconds, 0.6)
    return options


def _is_whole(options: argparse.Namespace) -> bool:
    part = options.scenario or options.peer
    return not part and (options.rounds, options.seconds) == (ROUNDS, SECONDS)


def _chosen(every: Sequence[Any], names: Sequence[str] | None) -> list[Any]:
    return [each for each in every if not names or each.name in names]


def _cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("Expected two cores, one for the server and one for its clients, found one")
    return cores[0], cores[-1]


def _allow_open_files() -> None:
    """Allow as many open files as this user may have; the servers inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _postgresql(
    stack: contextlib.ExitStack, core: int, environment: dict[str, str], scenarios: list[Scenario]
) -> Site | None:
    folder = programs()
    if folder is None or not any(scenario.postgresql for scenario in scenarios):
        return None
    url = stack.enter_context(running_postgresql(folder))
    return _site(core, environment | {"DATABASE_URL": url})


def _site(core: int, environment: dict[str, str]) -> Site:
    environment = (
        os.environ
        | environment
        | {
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
            "DJANGO_LOG_LEVEL": "WARNING",
        }
    )
    prepare = subprocess.run(
        [sys.executable, "-m", "django_site.prepare"],
        env=environment,
        capture_output=True,
        text=True,
    )
    if prepare.returncode:
        sys.exit(f"The database could not be made:\n{prepare.stderr}")
    return Site(core=core, environment=environment, cookie=prepare.stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
