"""Counts events, and measures how busy the server's and the client's cores are meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from .server import Server

WARM_UP = 0.3  # seconds
FEWEST = 8
PATIENCE = 3


@dataclass(frozen=True)
class _Mark:
    count: int
    last: float
    now: float
    server_cpu: float
    client_cpu: float


class Meter:
    """A peer with fewer than ``fewest`` events gets up to ``patience`` times as long."""

    def __init__(self, server: Server, fewest: int = FEWEST, patience: float = PATIENCE) -> None:
        self._server = server
        self._fewest = fewest
        self._patience = patience
        self._count = 0
        self._last = 0.0

    def tick(self) -> None:
        self._count += 1
        self._last = time.perf_counter()

    async def measure(self, seconds: float) -> dict[str, float]:
        """``rate``: ticks a second. ``server_busy``, ``client_busy``: share of a core.
        ``server_us``: microseconds that the server computed for a tick.

        The rate goes from tick to tick, so that a slow peer's does not hang on where the window
        happens to cut. Raises ``TimeoutError`` when nothing happens.
        """
        await asyncio.sleep(WARM_UP)
        start = self._mark()
        deadline = start.now + seconds * self._patience
        await asyncio.sleep(seconds)
        while self._count - start.count < self._fewest and time.perf_counter() < deadline:
            await asyncio.sleep(0.05)
        end = self._mark()
        if end.count == start.count:
            raise TimeoutError(f"nothing came within {end.now - start.now:.1f} s")
        begin = start.last or start.now
        elapsed = end.now - start.now
        server_cpu = end.server_cpu - start.server_cpu
        return {
            "rate": (end.count - start.count) / (end.last - begin),
            "server_busy": server_cpu / elapsed,
            "server_us": server_cpu / (end.count - start.count) * 1e6,
            "client_busy": (end.client_cpu - start.client_cpu) / elapsed,
        }

    def _mark(self) -> _Mark:
        return _Mark(
            self._count,
            self._last,
            time.perf_counter(),
            self._server.cpu_time(),
            time.process_time(),
        )
