"""What a peer and a scenario are."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Server

SERVERS = Path(__file__).resolve().parents[1] / "peers" / "servers"


@dataclass(frozen=True)
class Peer:
    """A server to measure. ``{port}`` in ``command`` becomes the port it shall listen on."""

    name: str
    label: str
    command: Sequence[str]
    #: Whether it resolves the session cookie to a user before it accepts.
    has_sessions: bool = False
    #: Distributions whose versions belong to the result.
    versions: Sequence[str] = ()


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
    #: A server of its own for each measurement, and how often it is measured at most.
    fresh_server: bool = False
    max_rounds: int = 99

    def takes(self, peer: Peer) -> bool:
        return peer.has_sessions or not self.needs_sessions


def python(arguments: str) -> tuple[str, ...]:
    """The command line of this Python with ``arguments``."""
    return (sys.executable, *arguments.split())


def gunicorn(worker: str) -> tuple[str, ...]:
    """The Django view on one gunicorn worker, with room for every connection of every scenario."""
    return python(
        f"-m gunicorn django_site.wsgi:websocket --worker-class {worker} "
        "--worker-connections 20000 --bind 127.0.0.1:{port} --graceful-timeout 1 "
        "--no-control-socket --log-level warning"
    )
