"""A peer: a server that the benchmark compares."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    #: Publishes each line of its input to everyone connected to ``/fanout/``. Empty: there is none.
    publisher: Sequence[str] = ()
    #: Distributions whose versions the result records.
    versions: Sequence[str] = ()


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
