"""A scenario: what is measured, and how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .model import Peer
from .server import Server


@dataclass(frozen=True)
class Scenario:
    """``measure`` returns figures by name; ``figure`` names the one that is compared."""

    name: str
    title: str
    unit: str
    figure: str
    #: Takes the running server and the duration of a measurement in seconds.
    measure: Callable[[Server, float], Awaitable[dict[str, float]]]
    higher_is_better: bool = True
    needs_sessions: bool = False
    #: Whether it publishes through Redis.
    publishes: bool = False
    #: Whether sessions and users are in PostgreSQL, with the pool, instead of SQLite.
    postgresql: bool = False
    #: How many processes the server has.
    processes: int = 1
    #: How many times it is measured in each round.
    repeats: int = 1
    #: The most times that it is measured.
    max_rounds: int = 99
    #: Whether it is not about time. Then it is measured once, on a server that has just started,
    #: with its clients on its core, two peers at once.
    apart: bool = False

    def takes(self, peer: Peer) -> bool:
        if self.publishes:
            return bool(peer.publisher)
        return peer.echoes and (peer.has_sessions or not self.needs_sessions)
