"""The output for the person at the terminal."""

import sys


class Problem(Exception):
    """Why the command cannot go on, and what to do about it, in one sentence."""


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())
