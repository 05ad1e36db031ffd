"""What a person in front of the terminal reads."""

import sys


class Problem(Exception):
    """Why the command cannot go on, in one sentence with the remedy."""


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())
