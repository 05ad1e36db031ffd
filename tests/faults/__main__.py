"""``make faults``: what each fault costs, as a table."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.stack import ROOT, Stack, open_many_files, probed_stack, running

from .catalogue import FAULTS, MORE
from .scene import MESSAGES_A_SECOND, PAGES_A_SECOND, SOCKETS, Fault, Outcome, play
from .worlds import WORLDS

DOCUMENT = ROOT / "docs" / "reference" / "faults.md"
_BEGIN, _END = "<!-- faults -->\n", "<!-- /faults -->"
COLUMNS = (
    "fault", "lost", "doubled", "out of order", "gaps announced", "close codes",
    "longest away", "closed in 0.1 s", "failed pages", "slowest page", "slowest publish",
)  # fmt: skip


def row(name: str, outcome: Outcome) -> str:
    codes = ", ".join(f"{count} × {code}" for code, count in sorted(outcome.codes.items()))  # noqa: RUF001
    cells = (
        name, outcome.lost, outcome.doubled, outcome.disordered, outcome.gaps, codes or "none",
        f"{outcome.longest_away:.1f} s" if outcome.all_back else "not all came back",
        outcome.closed_at_once, f"{outcome.failed_pages} of {outcome.pages}",
        f"{outcome.slowest_page:.2f} s", f"{outcome.slowest_publish:.2f} s",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def scenes(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Stack, Fault]]:
    """Each fault that was asked for, and the stack that it happens to."""
    faults = FAULTS | (MORE if options.all else {})
    chosen = {name: fault for name, fault in faults.items() if options.only in name}
    if chosen:
        with running(probed_stack(folder / "state")) as stack:
            for name, fault in chosen.items():
                stack.wait_until_whole()
                yield name, stack, fault
    for number, (name, world) in enumerate(WORLDS.items() if options.all else ()):
        if options.only in name:
            with world(folder / f"state-{number}") as (stack, fault):
                yield name, stack, fault


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--all", action="store_true", help="twice as many; takes ten minutes more")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    parser.add_argument("--only", metavar="TEXT", default="", help="those whose name contains it")
    options = parser.parse_args()
    open_many_files()
    print(f"{SOCKETS} sockets, {PAGES_A_SECOND} pages and {MESSAGES_A_SECOND} messages a second")
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    print("\n".join(lines), flush=True)
    notes: list[str] = []
    # Under /tmp: the path of a unix socket is at most 107 bytes long.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for number, (name, stack, fault) in enumerate(scenes(options, Path(folder))):
            outcome = asyncio.run(play(stack, fault, f"faults-{number}"))
            lines.append(row(name, outcome))
            notes += [f"- {name}: {outcome.note}."] if outcome.note else []
            print("\n".join([lines[-1], *notes[-1:] * bool(outcome.note)]), flush=True)
    if options.write:
        text = DOCUMENT.read_text()
        before, _, rest = text.partition(_BEGIN)
        table = "\n".join([*lines, *([""] if notes else []), *notes])
        DOCUMENT.write_text(f"{before}{_BEGIN}\n{table}\n\n{_END}{rest.partition(_END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
