"""The latency of small messages while another client sends large ones without a pause."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

from harness.client import Client, connected, text
from harness.meter import WARM_UP
from harness.scenario import Scenario
from harness.server import Server

LARGE = 1_000_000  # bytes
IN_FLIGHT = 4  # so that the next large message is there whenever the server has done one
SMALL = 16
INTERVAL = 0.005  # seconds between small messages, whether or not the last one came back


class Probe:
    """Sends small messages at a steady pace and records the latency of each, in seconds."""

    def __init__(self, client: Client) -> None:
        self.latencies: list[float] = []
        self._client = client
        self._sent: deque[float] = deque()
        client.on_echo = self._on_echo

    async def run(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(int(seconds / INTERVAL)):
            await asyncio.sleep(start + number * INTERVAL - loop.time())
            self._sent.append(time.perf_counter())
            self._client.send()
        # A message in flight counts with its age: the slowest must not be left out.
        self.latencies.extend(time.perf_counter() - sent for sent in self._sent)

    def _on_echo(self, client: Client) -> None:
        self.latencies.append(time.perf_counter() - self._sent.popleft())


async def measure(server: Server, seconds: float) -> dict[str, float]:
    async with (
        connected(server, text(SMALL), 1) as (small,),
        connected(server, text(LARGE), 1) as (large,),
    ):
        large.on_echo = Client.send
        for _ in range(IN_FLIGHT):
            large.send()
        await asyncio.sleep(WARM_UP)
        probe = Probe(small)
        await probe.run(seconds)
    latencies = sorted(latency * 1000 for latency in probe.latencies)
    return {
        "p50": latencies[math.ceil(len(latencies) * 0.50) - 1],
        "p99": latencies[math.ceil(len(latencies) * 0.99) - 1],
        "max": latencies[-1],
    }


SCENARIOS = [
    Scenario(
        name="stall",
        title="Latency of a 16-byte echo while another client sends 1 MB texts, 99th percentile",
        unit="ms",
        figure="p99",
        measure=measure,
        higher_is_better=False,
    )
]
