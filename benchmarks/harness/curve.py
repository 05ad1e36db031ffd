"""The fan-out as a chart: deliveries a second by the number of subscribers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .chart import OURS, THEIRS, footer
from .document import median

#: How the line of each peer but ours is drawn.
_STYLES = ("-", "--", ":", "-.")


def draw(document: dict[str, Any], path: Path) -> None:
    """Write nothing if fewer than two numbers of subscribers were measured."""
    names = [name for name, scenario in document["scenarios"].items() if _is_point(scenario)]
    if len(names) < 2:
        return
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    peers = [peer for peer in document["peers"] if _points(document, names, peer)]
    for place, peer in enumerate(peers):
        points = _points(document, names, peer)
        ours = peer == "ours"
        style = "-" if ours else _STYLES[place % len(_STYLES)]
        axes.plot(*zip(*points, strict=True), style, color=OURS if ours else THEIRS, marker="o")
        axes.annotate(
            document["peers"][peer], points[-1], xytext=(8, 0), textcoords="offset points",
            va="center", annotation_clip=False,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    subscribers = sorted({x for peer in peers for x, _ in _points(document, names, peer)})
    axes.set_xticks(subscribers, [f"{number:,.0f}" for number in subscribers])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.set_xlabel("subscribers")
    axes.set_title("Fan-out of 100 bytes through Redis: deliveries a second", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(footer(document), fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def _is_point(scenario: dict[str, Any]) -> bool:
    return scenario["processes"] == 1 and all(
        "subscribers" in figures and figures.get("window", 2) > 1
        for rounds in scenario["rounds"].values()
        for figures in rounds
    )


def _points(document: dict[str, Any], names: list[str], peer: str) -> list[tuple[float, float]]:
    """(subscribers, deliveries a second)."""
    found = [(median(document, name, peer, "subscribers"), median(document, name, peer))
             for name in names]  # fmt: skip
    return sorted((x, y) for x, y in found if x and y)
