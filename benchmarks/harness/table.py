"""The result as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .document import cpu_ratio, median, ratio

_HEAD = " " * 30 + "    median    lowest   highest   ours is  server clients   CPU µs  ours is"


def lines(document: dict[str, Any], verdicts: list[dict[str, Any]]) -> Iterator[str]:
    for name, scenario in document["scenarios"].items():
        yield f"\n{scenario['title']} ({scenario['unit']})"
        yield _HEAD
        for peer in scenario["rounds"]:
            yield _row(document, name, peer)
    if verdicts:
        yield "\nBars (medians of this run)"
    for verdict in verdicts:
        mark = "met   " if verdict["met"] else "NOT MET"
        yield f"  {verdict['scenario']:27}{verdict['required']:40}{verdict['found']:>10}  {mark}"
    for failure in document["failures"]:
        yield f"\nFAILED {failure}"


def _row(document: dict[str, Any], name: str, peer: str) -> str:
    scenario = document["scenarios"][name]
    rounds = [figures[scenario["figure"]] for figures in scenario["rounds"][peer]]
    middle = median(document, name, peer) or 0
    columns = "".join(f"{number(each):>10}" for each in (middle, min(rounds), max(rounds)))
    factor = ratio(document, name, peer)
    busy = [median(document, name, peer, f"{side}_busy") for side in ("server", "client")]
    cost = median(document, name, peer, "server_us")
    cheaper = cpu_ratio(document, name, peer)
    return (
        f"  {document['peers'][peer]:28}{columns}"
        f"{f'{factor:.3g} ×' if factor and peer != 'ours' else '':>10}"
        + "".join(f"{each:>8.0%}" for each in busy if each is not None)
        + (f"{number(cost):>9}" if cost is not None else "")
        + (f"{f'{cheaper:.3g} ×':>9}" if cheaper and peer != "ours" else "")
    )


def number(value: float) -> str:
    """Three significant digits, and a separator for thousands: 41,900; 370; 9.14."""
    if value >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"
