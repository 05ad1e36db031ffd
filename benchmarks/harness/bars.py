"""The bars that we promise: ratios to other servers in the same run, and two limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .document import median, ratio

OURS = "ours"


@dataclass(frozen=True)
class AtLeast:
    """Ours is at least ``factor`` times as good as ``peer``."""

    scenario: str
    factor: float
    peer: str

    def judge(self, document: dict[str, Any]) -> dict[str, Any] | None:
        found = ratio(document, self.scenario, self.peer)
        if found is None:
            return None
        label = document["peers"][self.peer]
        required = f"at least {self.factor:g} × {label}"
        return _verdict(self.scenario, required, f"{found:.3g} ×", found >= self.factor)


@dataclass(frozen=True)
class AtMost:
    """Ours is at most ``limit``, in the scenario's unit."""

    scenario: str
    limit: float

    def judge(self, document: dict[str, Any]) -> dict[str, Any] | None:
        found = median(document, self.scenario, OURS)
        if found is None:
            return None
        unit = document["scenarios"][self.scenario]["unit"]
        required = f"at most {self.limit:g} {unit}"
        return _verdict(self.scenario, required, f"{found:.3g} {unit}", found <= self.limit)


BARS = (
    AtLeast("echo-16", 3.5, "stock"),
    AtLeast("echo-16", 10, "channels-uvicorn"),
    AtLeast("echo-16", 1.1, "node-ws"),
    AtLeast("echo-64k", 100, "stock"),
    AtLeast("echo-64k", 4, "channels-uvicorn"),
    AtLeast("echo-1m", 100, "stock"),
    AtLeast("echo-1m", 1.2, "channels-uvicorn"),
    AtLeast("echo-1m", 2, "node-ws"),
    AtMost("stall", 20),
    AtLeast("handshakes", 3, "channels-uvicorn"),
    AtLeast("handshakes", 1, "stock"),
    AtLeast("handshakes-user", 3, "channels-uvicorn"),
    AtLeast("handshakes-user", 1, "stock"),
    AtLeast("fanout-1000", 20, "channels-uvicorn"),
    AtLeast("fanout-1000", 1.2, "node-redis"),
    AtLeast("fanout-1000", 0.8, "nchan"),
    AtMost("memory", 20),
)


def judge(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A verdict for each bar that has figures."""
    for bar in BARS:
        if verdict := bar.judge(document):
            yield verdict


def _verdict(scenario: str, required: str, found: str, met: bool) -> dict[str, Any]:
    return {"scenario": scenario, "required": required, "found": found, "met": met}
