"""``make faults``: what each fault costs, as a table; with --write, into the docs."""

import argparse
import asyncio
import resource
import sys
import tempfile
from pathlib import Path

from support.stack import ROOT, probed_stack

from .catalogue import FAULTS
from .scene import MESSAGES_A_SECOND, PAGES_A_SECOND, SOCKETS, Outcome, play

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


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    parser.add_argument("--only", metavar="TEXT", default="", help="those whose name contains it")
    options = parser.parse_args()
    chosen = {name: fault for name, fault in FAULTS.items() if options.only in name}
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{SOCKETS} sockets, {PAGES_A_SECOND} pages and {MESSAGES_A_SECOND} messages a second")
    head = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    print("\n".join(head), flush=True)
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        stack = probed_stack(Path(folder) / "state").start()
        try:
            for number, (name, fault) in enumerate(chosen.items()):
                stack.wait_until_whole()
                rows.append(row(name, asyncio.run(play(stack, fault, f"faults-{number}"))))
                print(rows[-1], flush=True)
        finally:
            stack.stop()
    if options.write:
        text = DOCUMENT.read_text()
        before, _, rest = text.partition(_BEGIN)
        table = "\n".join([*head, *rows])
        DOCUMENT.write_text(f"{before}{_BEGIN}\n{table}\n\n{_END}{rest.partition(_END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
