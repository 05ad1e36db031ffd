"""An attack, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from support.stack import Stack

__all__ = ["ATTACKS", "Attack", "attack", "table"]

#: Carries out an attack. Returns figures, if any; raises ``AssertionError`` if it gets through.
Run = Callable[[Stack], str | None]


@dataclass(frozen=True)
class Attack:
    """``tried`` and ``happens`` are cells of the table. A ``short`` one is part of the tests."""

    name: str
    tried: str
    happens: str
    short: bool
    run: Run


ATTACKS: list[Attack] = []


def attack(name: str, tried: str, happens: str, *, short: bool = False) -> Callable[[Run], Run]:
    """Put the decorated function on the list."""

    def add(run: Run) -> Run:
        ATTACKS.append(Attack(name, tried, happens, short, run))
        return run

    return add


def table() -> str:
    """The list as it is in SECURITY.md."""
    rows = [f"| {each.name} | {each.tried} | {each.happens} |\n" for each in ATTACKS]
    return "".join(["| attack | what is tried | what happens |\n", "|---|---|---|\n", *rows])
