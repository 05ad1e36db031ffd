"""``make attack``: start the stack, carry out every attack on it, and print how each fared."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from support.stack import Stack, probed_stack, running

from . import ATTACKS, Attack


def main() -> int:
    """The exit status: 0 if no attack got through."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of attacks; default: all")
    names = parser.parse_args().names
    chosen = [each for each in ATTACKS if not names or any(name in each.name for name in names)]
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        running(probed_stack(Path(folder) / "state")) as stack,
    ):
        through = [each.name for each in chosen if not repelled(each, stack)]
    sys.stdout.write(f"{len(chosen)} attacks, {len(through)} got through\n")
    return 1 if through else 0


def repelled(attack: Attack, stack: Stack) -> bool:
    """Carry it out, and print a line."""
    began = time.monotonic()
    try:
        figures = attack.run(stack)
    except Exception:  # noqa: BLE001 - the others are tried as well
        traceback.print_exc()
        sys.stdout.write(f"THROUGH  {attack.name}\n")
        return False
    seconds = f"{time.monotonic() - began:.1f} s"
    sys.stdout.write(f"repelled {attack.name}: {figures or attack.happens} ({seconds})\n")
    sys.stdout.flush()
    return True


if __name__ == "__main__":
    sys.exit(main())
