"""What a scenario is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .model import Peer
from .server import Server


@dataclass(frozen=True)
class Scenario:
    """Something to measure. ``measure`` returns figures by name; ``figure`` is the one compared."""

    name: str
    title: str
    unit: str
    figure: str
    #: Takes the running server and the seconds that a measurement shall last.
    measure: Callable[[Server, float], Awaitable[dict[str, float]]]
    higher_is_better: bool = True
    needs_sessions: bool = False
    #: It is about publishing, through Redis.
    publishes: bool = False
    #: How many processes the server has.
    processes: int = 1
    #: How often it is measured in each round.
    repeats: int = 1
    #: How often it is measured at most.
    max_rounds: int = 99
    #: It is not about time: measured once, on a server that has just started, with its clients on
    #: its core, two peers at once.
    apart: bool = False

    def takes(self, peer: Peer) -> bool:
        if self.publishes:
            return bool(peer.publisher)
        return peer.echoes and (peer.has_sessions or not self.needs_sessions)
