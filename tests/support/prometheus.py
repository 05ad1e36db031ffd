"""A Prometheus of the test's own, on loopback, with metrics of a past that a test has recorded."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .ports import free_port
from .server import PATIENCE, wait_for

#: Seconds between two recorded scrapes.
INTERVAL = 15

Scrape = dict[str, float]


class Prometheus:
    """Answers queries about ``now``, the time of the last recorded scrape."""

    def __init__(self, address: str, now: float) -> None:
        self._address = address
        self._now = now

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The vector that an expression yields. Raises ``HTTPError`` for a wrong one."""
        values = urllib.parse.urlencode({"query": expression, "time": self._now})
        with urllib.request.urlopen(f"{self._address}/api/v1/query?{values}") as answer:
            return list(json.load(answer)["data"]["result"])

    def ready(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self._address}/-/ready") as answer:
            return bool(answer.status == 200)
        return False


@contextmanager
def prometheus(scrapes: Sequence[Scrape], **labels: str) -> Iterator[Prometheus]:
    """Run one that has made these scrapes of a target with these labels, lately."""
    now = int(time.time()) - 60
    with tempfile.TemporaryDirectory(prefix="prometheus-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "recorded").write_text(_with_times(scrapes, labels, now))
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", "recorded", "data"],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        (folder / "prometheus.yml").write_text("scrape_configs: []\n")
        address = f"127.0.0.1:{free_port()}"
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                    f"--web.listen-address={address}",
                ],
                cwd=folder, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            server = Prometheus(f"http://{address}", now)
            wait_for(server.ready, lambda: (folder / "log").read_text())
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _with_times(scrapes: Sequence[Scrape], labels: dict[str, str], now: float) -> str:
    """The scrapes as OpenMetrics, each sample with its time."""
    more = ",".join(f'{name}="{value}"' for name, value in labels.items())
    begun = now - INTERVAL * (len(scrapes) - 1)
    lines = [
        f"{_labelled(name, more)} {scrape[name]} {begun + INTERVAL * number}"
        for name in sorted({name for scrape in scrapes for name in scrape})
        for number, scrape in enumerate(scrapes)
        if name in scrape
    ]
    return "\n".join([*lines, "# EOF", ""])


def _labelled(name: str, more: str) -> str:
    return f"{name[:-1]},{more}}}" if name.endswith("}") else f"{name}{{{more}}}"
