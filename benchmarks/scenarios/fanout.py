"""How many deliveries a second reach all subscribers together."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from harness.client import open_socket, repeat
from harness.fanout import Flow
from harness.meter import Meter
from harness.publisher import publishing
from harness.scenario import Scenario
from harness.server import Server

SIZE = 100  # bytes
#: Messages in flight: fewer if each is a lot of work.
WINDOWS = {200: 32, 1000: 16, 5000: 4}

#: The fewest messages that have to reach everyone in a measurement, so that it does not matter
#: where in a message it begins; and how many times as long a slow peer gets at most.
FEWEST, PATIENCE = 4, 8


async def measure(server: Server, seconds: float, subscribers: int) -> dict[str, float]:
    """Raises ``Lost`` unless every subscriber gets every message, once and in order."""
    meter = Meter(server, fewest=FEWEST * subscribers, patience=PATIENCE)
    with publishing(server) as publisher:
        flow = Flow(publisher.publish, messages(), meter)
        url, headers = server.url("fanout"), server.headers(logged_in=False)
        try:
            await repeat(partial(open_socket, flow.subscriber, url, headers), times=subscribers)
            await flow.begin(WINDOWS[subscribers])
            figures = await meter.measure(seconds)
            await flow.end()
        finally:
            for subscriber in flow.subscribers:
                subscriber.hang_up()
    return figures | {"subscribers": subscribers}


def messages() -> Callable[[int], bytes]:
    """The message with this number. No two measurements share a message."""
    measurement = secrets.token_hex(8)
    return lambda number: f"{measurement} {number:08d} ".encode().ljust(SIZE, b".")


def _scenario(subscribers: int, processes: int = 1, max_rounds: int = 99) -> Scenario:
    several = processes > 1
    return Scenario(
        name=f"fanout-{subscribers}" + (f"-{processes}-processes" if several else ""),
        title=f"Fan-out of 100 bytes to {subscribers:,} subscribers through Redis"
        + (f", {processes} processes on one core" if several else ""),
        unit="deliveries/s",
        figure="rate",
        measure=partial(measure, subscribers=subscribers),
        publishes=True,
        processes=processes,
        max_rounds=max_rounds,
    )


SCENARIOS = [
    _scenario(200),
    _scenario(1000),
    _scenario(5000, max_rounds=1),
    _scenario(1000, processes=2, max_rounds=1),
]
