"""How many texts a second are echoed; each connection sends the next one after the echo."""

from __future__ import annotations

from functools import partial

from harness.client import Client, connected, text
from harness.meter import Meter
from harness.scenario import Scenario
from harness.server import Server


async def measure(server: Server, seconds: float, size: int, connections: int) -> dict[str, float]:
    meter = Meter(server)

    def on_echo(client: Client) -> None:
        meter.tick()
        client.send()

    async with connected(server, text(size), connections) as clients:
        for client in clients:
            client.on_echo = on_echo
            client.send()
        return await meter.measure(seconds)


def _scenario(name: str, size: int, label: str, connections: int, repeats: int = 1) -> Scenario:
    return Scenario(
        name=name,
        title=f"Echo, {label} texts, {connections} connections",
        unit="messages/s",
        figure="rate",
        measure=partial(measure, size=size, connections=connections),
        repeats=repeats,
    )


SCENARIOS = [
    # The closest race: a core's speed varies by more than the leaders differ.
    _scenario("echo-16", 16, "16-byte", connections=50, repeats=3),
    _scenario("echo-1k", 1024, "1 KiB", connections=50),
    _scenario("echo-64k", 64 * 1024, "64 KiB", connections=10),
    _scenario("echo-1m", 1_000_000, "1 MB", connections=4),
]
