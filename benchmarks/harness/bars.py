"""The bars that we promise: ratios to other servers in the same run, and two limits.

Where rates are close, they vary more than the servers differ: there the bar is on CPU time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .document import cpu_ratio, median, ratio

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
class CpuAtMost:
    """The CPU time of our server for a message is at most ``factor`` times that of ``peer``.

    ``theirs_in`` is the peer's scenario, if it is another.
    """

    scenario: str
    factor: float
    peer: str
    theirs_in: str = ""

    def judge(self, document: dict[str, Any]) -> dict[str, Any] | None:
        found = cpu_ratio(document, self.scenario, self.peer, self.theirs_in)
        if found is None:
            return None
        other = self.theirs_in or document["peers"][self.peer]
        required = f"CPU at most {self.factor:g} × {other}"
        return _verdict(self.scenario, required, f"{found:.3g} ×", found <= self.factor)


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


BARS: tuple[AtLeast | CpuAtMost | AtMost, ...] = (
    AtLeast("echo-16", 3.5, "stock"),
    AtLeast("echo-16", 10, "channels-uvicorn"),
    CpuAtMost("echo-16", 0.9, "node-ws"),
    CpuAtMost("echo-16", 1, "picows"),
    CpuAtMost("echo-64k", 1.05, "picows"),
    CpuAtMost("echo-1m", 1.4, "picows"),
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
    CpuAtMost("handshakes-user-postgresql", 0.55, "channels-uvicorn"),
    AtLeast("fanout-1000", 20, "channels-uvicorn"),
    AtLeast("fanout-1000", 1.2, "node-redis"),
    AtLeast("fanout-1000", 0.8, "nchan"),
    CpuAtMost("fanout-1000-one", 0.77, "node-redis"),
    CpuAtMost("fanout-5000-one", 1.5, OURS, theirs_in="fanout-1000-one"),
    AtMost("memory", 20),
)


def judge(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A verdict for each bar that has figures."""
    for bar in BARS:
        if verdict := bar.judge(document):
            yield verdict


def _verdict(scenario: str, required: str, found: str, met: bool) -> dict[str, Any]:
    return {"scenario": scenario, "required": required, "found": found, "met": met}
