"""How many handshakes a second pass the full middleware, each followed by a clean close."""

from __future__ import annotations

import asyncio
from functools import partial

from picows import WSCloseCode

from harness.client import connect
from harness.meter import Meter
from harness.scenario import Scenario
from harness.server import Server

AT_ONCE = 32


async def measure(server: Server, seconds: float, logged_in: bool) -> dict[str, float]:
    meter = Meter(server)

    async def visit() -> None:
        while True:
            client = await connect(server, logged_in=logged_in)
            client.transport.send_close(WSCloseCode.OK)
            await client.transport.wait_disconnected()
            meter.tick()

    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(visit()) for _ in range(AT_ONCE)]
        figures = await meter.measure(seconds)
        for task in visits:
            task.cancel()
    return figures


def _scenario(name: str, title: str, logged_in: bool, postgresql: bool = False) -> Scenario:
    return Scenario(
        name=name,
        title=title,
        unit="handshakes/s",
        figure="rate",
        measure=partial(measure, logged_in=logged_in),
        needs_sessions=True,
        postgresql=postgresql,
    )


SCENARIOS = [
    _scenario("handshakes", "Handshakes through the full middleware, anonymous", logged_in=False),
    _scenario(
        "handshakes-user",
        "Handshakes through the full middleware, session and user from the database",
        logged_in=True,
    ),
    _scenario(
        "handshakes-user-postgresql",
        "Handshakes through the full middleware, session and user from PostgreSQL with its pool",
        logged_in=True,
        postgresql=True,
    ),
]
