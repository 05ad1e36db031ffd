"""The result as data, from which the table and the chart are made."""

from __future__ import annotations

import datetime
import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rounds import Run


def compose(run: Run, environment: dict[str, Any]) -> dict[str, Any]:
    """All data of one run, without bars."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "environment": environment,
        "rounds": run.rounds,
        "seconds": run.seconds,
        "peers": {peer.name: peer.label for peer in run.peers},
        "scenarios": {
            scenario.name: {
                "title": scenario.title,
                "unit": scenario.unit,
                "figure": scenario.figure,
                "higher_is_better": scenario.higher_is_better,
                "processes": scenario.processes,
                "rounds": run.figures[scenario.name],
            }
            for scenario in run.scenarios
            if scenario.name in run.figures
        },
        "failures": run.failures,
    }


def median(document: dict[str, Any], scenario: str, peer: str, figure: str = "") -> float | None:
    """Over the rounds, of the scenario's main figure or another; None when not measured."""
    entry = document["scenarios"].get(scenario)
    rounds = entry and entry["rounds"].get(peer)
    name = figure or (entry and entry["figure"])
    if not rounds or name not in rounds[0]:
        return None
    figures: list[float] = [each[name] for each in rounds]
    return statistics.median(figures)


def ratio(document: dict[str, Any], scenario: str, peer: str) -> float | None:
    """How many times as good as ``peer`` ours is; None if either was not measured."""
    ours, theirs = (median(document, scenario, name) for name in ("ours", peer))
    if not ours or not theirs:
        return None
    better = document["scenarios"][scenario]["higher_is_better"]
    return ours / theirs if better else theirs / ours


def cpu_ratio(
    document: dict[str, Any], scenario: str, peer: str, theirs_in: str = ""
) -> float | None:
    """The server's CPU time for a message, ours to that of ``peer``; None if not measured.

    ``theirs_in`` is the peer's scenario, if it is another.
    """
    ours = median(document, scenario, "ours", "server_us")
    theirs = median(document, theirs_in or scenario, peer, "server_us")
    return ours / theirs if ours and theirs else None


def save(document: dict[str, Any], folder: Path) -> None:
    """As ``<date>.json`` and ``latest.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_rounded(document), indent=1, ensure_ascii=False) + "\n"
    for name in (document["date"], "latest"):
        (folder / f"{name}.json").write_text(text)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
