"""The facts about the machine and the versions that you need to read a result."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .model import Peer

HERE = Path(__file__).resolve().parents[1]


def environment(peers: Sequence[Peer]) -> dict[str, Any]:
    """Names and versions; no host name, no path."""
    names = {name for peer in peers for name in peer.versions} | {"picows", "uvloop"}
    versions = {name: version(name) for name in sorted(names)}
    if any(peer.name == "node-ws" for peer in peers):
        versions |= {"node": _output("node", "--version"), "ws": _node_module("ws")}
    if any(peer.publisher for peer in peers):
        versions |= {
            "redis-server": _output("redis-server", "--version").partition("v=")[2].split()[0],
            "nchan": _output("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan"),
            "node redis": _node_module("redis"),
        }
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "commit": _output("git", "-C", str(HERE), "describe", "--always", "--dirty"),
        "versions": versions,
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _node_module(name: str) -> str:
    package = HERE / "peers" / "node_modules" / name / "package.json"
    return json.loads(package.read_text())["version"] if package.exists() else "missing"


def _output(*command: str) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
