"""The stack in a checkout: run, stop, status, restart, logs, prepare. The Makefile calls it.

Needs only Python's standard library, and installs the rest. See deploy/README.md.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}.")

import argparse
from collections.abc import Callable
from pathlib import Path

import commands
from state import State
from terminal import Problem, say
from virtualenv import VirtualEnvironment

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> int:
    arguments = parsed(sys.argv[1:])
    state = State(CHECKOUT, arguments.state)
    virtual_environment = VirtualEnvironment(CHECKOUT)
    try:
        if arguments.command == "run":
            return commands.run(state, virtual_environment, arguments.port)
        command: Callable[[State, VirtualEnvironment], int] = getattr(commands, arguments.command)
        return command(state, virtual_environment)
    except Problem as problem:
        sys.stdout.flush()
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted.")
        return 130


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy/local", description=__doc__)
    parser.add_argument("--state", type=Path, default=CHECKOUT / "var", help="default: var/")
    subparsers = parser.add_subparsers(dest="command", required=True)
    run = subparsers.add_parser("run", help="start everything; Ctrl-C ends everything")
    run.add_argument("--port", type=int, default=8080, help="default: 8080")
    subparsers.add_parser("stop", help="end a stack that runs in another terminal")
    subparsers.add_parser("status", help="what runs")
    subparsers.add_parser("restart", help="restart one instance after another")
    subparsers.add_parser("logs", help="follow all logs")
    subparsers.add_parser("prepare", help="install what the tests need")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
