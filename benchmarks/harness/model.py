"""What a peer and a scenario are."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Server

_PEERS = Path(__file__).resolve().parents[1] / "peers"
SERVERS, PUBLISHERS = _PEERS / "servers", _PEERS / "publishers"


@dataclass(frozen=True)
class Peer:
    """A server to measure.

    In its commands ``{port}`` becomes the port it shall listen on, and ``{processes}`` how many
    processes shall serve there.
    """

    name: str
    label: str
    command: Sequence[str]
    #: Whether it sends every message back.
    echoes: bool = True
    #: Whether it resolves the session cookie to a user before it accepts.
    has_sessions: bool = False
    #: Publishes each line that it reads to everyone connected to ``/fanout/``. Empty: cannot.
    publisher: Sequence[str] = ()
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


def python(arguments: str) -> tuple[str, ...]:
    """The command line of this Python with ``arguments``."""
    return (sys.executable, *arguments.split())


def gunicorn(worker: str) -> tuple[str, ...]:
    """The Django view on one gunicorn worker, with room for every connection of every scenario."""
    return python(
        f"-m gunicorn django_site.wsgi:websocket --worker-class {worker} "
        "--workers {processes} "
        "--worker-connections 20000 --bind 127.0.0.1:{port} --graceful-timeout 1 "
        "--no-control-socket --log-level warning"
    )
