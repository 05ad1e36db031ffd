"""The short table in the project's README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .document import ratio

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"
SCENARIOS = {
    "echo-16": "echo, 16 bytes",
    "echo-64k": "echo, 64 KiB",
    "echo-1m": "echo, 1 MB",
    "fanout-1000": "one message to 1,000 subscribers, through Redis",
    "handshakes": "handshakes, anonymous",
    "handshakes-user": "handshakes of a logged-in user",
    "memory": "memory of an idle logged-in socket",
}
#: The title of a column, and the peers that may fill it.
PEERS = {
    "Channels on uvicorn": ("channels-uvicorn",),
    "Node's ws": ("node-ws", "node-redis"),
    "nchan": ("nchan",),
    "gevent-websocket's own worker": ("stock",),
}


def table(document: dict[str, Any]) -> str:
    rows = [["ours is", *PEERS], ["---"] * (1 + len(PEERS))]
    for scenario, title in SCENARIOS.items():
        rows.append([title, *(_cell(document, scenario, peers) for peers in PEERS.values())])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(document: dict[str, Any], scenario: str, peers: tuple[str, ...]) -> str:
    ratios = (ratio(document, scenario, peer) for peer in peers)
    return next((f"{each:.3g} ×" for each in ratios if each), "")


def update(document: dict[str, Any]) -> None:
    before, rest = README.read_text().split(BEGIN)
    _, after = rest.split(END)
    README.write_text(before + BEGIN + table(document) + END + after)
