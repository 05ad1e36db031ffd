"""The result as a chart: a panel for each scenario, a bar for each peer."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .document import median
from .table import number

OURS, THEIRS = "#0b6e4f", "#9aa5b1"
COLUMNS = 2
TITLE_WIDTH = 56  # characters

# Text stays text in the SVG, and the same figures give the same file.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 9})


def draw(document: dict[str, Any], path: Path) -> None:
    names = list(document["scenarios"])
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(11, 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for panel, name in zip(panels, names, strict=False):
        _panel(panel, document, name)
    for panel in list(panels)[len(names) :]:
        panel.set_axis_off()
    figure.supxlabel(footer(document), fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def footer(document: dict[str, Any]) -> str:
    """Where, and how many times, it was measured."""
    environment = document["environment"]
    return (
        f"{document['date']}, one core of {environment['cpu']}, Python {environment['python']}; "
        f"median of {document['rounds']} rounds"
    )


def _panel(panel: Axes, document: dict[str, Any], name: str) -> None:
    scenario = document["scenarios"][name]
    peers = list(scenario["rounds"])
    values = [median(document, name, peer) or 0 for peer in peers]
    colours = [OURS if peer == "ours" else THEIRS for peer in peers]
    bars = panel.barh([document["peers"][peer] for peer in peers], values, color=colours)
    panel.bar_label(bars, [number(value) for value in values], padding=4)
    direction = "more" if scenario["higher_is_better"] else "less"
    title = textwrap.fill(scenario["title"], TITLE_WIDTH)
    panel.set_title(f"{title}\n{scenario['unit']}, {direction} is better", fontsize=9)
    panel.set_ylim(len(document["peers"]) - 0.5, -0.5)  # the first on top, all bars of one height
    panel.margins(x=0.15)
    panel.xaxis.set_visible(False)
    panel.spines[["top", "right", "bottom"]].set_visible(False)
    panel.spines.left.set_bounds(-0.5, len(peers) - 0.5)
