"""How many handshakes a second, each with a session, a user, and a clean close after it."""

from __future__ import annotations

import asyncio

from picows import WSCloseCode

from harness.client import connect
from harness.meter import Meter
from harness.model import Scenario
from harness.server import Server

AT_ONCE = 32


async def measure(server: Server, seconds: float) -> dict[str, float]:
    meter = Meter(server)

    async def visit() -> None:
        while True:
            client = await connect(server)
            client.transport.send_close(WSCloseCode.OK)
            await client.transport.wait_disconnected()
            meter.tick()

    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(visit()) for _ in range(AT_ONCE)]
        figures = await meter.measure(seconds)
        for task in visits:
            task.cancel()
    return figures


SCENARIOS = [
    Scenario(
        name="handshakes",
        title="Authenticated handshakes through the full middleware",
        unit="handshakes/s",
        figure="rate",
        measure=measure,
        needs_sessions=True,
    )
]
