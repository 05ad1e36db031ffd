"""Counts what happens, and how busy the server's and the client's cores are meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from .server import Server

WARM_UP = 0.5  # seconds
FEWEST = 8  # a slower peer gets more time, up to PATIENCE times as much
PATIENCE = 3


@dataclass(frozen=True)
class _Mark:
    count: int
    last: float
    now: float
    server_cpu: float
    client_cpu: float


class Meter:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._count = 0
        self._last = 0.0

    def tick(self) -> None:
        self._count += 1
        self._last = time.perf_counter()

    async def measure(self, seconds: float) -> dict[str, float]:
        """``rate``: ticks a second. ``server_busy``, ``client_busy``: share of a core.

        The rate goes from tick to tick, so that a slow peer's does not hang on where the window
        happens to cut. Raises ``TimeoutError`` when nothing happens.
        """
        await asyncio.sleep(WARM_UP)
        start = self._mark()
        deadline = start.now + seconds * PATIENCE
        await asyncio.sleep(seconds)
        while self._count - start.count < FEWEST and time.perf_counter() < deadline:
            await asyncio.sleep(0.05)
        end = self._mark()
        if end.count == start.count:
            raise TimeoutError(f"nothing came within {end.now - start.now:.1f} s")
        begin = start.last or start.now
        elapsed = end.now - start.now
        return {
            "rate": (end.count - start.count) / (end.last - begin),
            "server_busy": (end.server_cpu - start.server_cpu) / elapsed,
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
