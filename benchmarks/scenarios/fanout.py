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

#: The fewest messages that have to reach everyone in a measurement, so that it does not matter
#: where in a message it begins; and how many times as long a slow peer gets at most.
FEWEST, PATIENCE = 4, 8


async def measure(
    server: Server, seconds: float, subscribers: int, window: int
) -> dict[str, float]:
    """Raises ``Lost`` unless every subscriber gets every message, once and in order."""
    meter = Meter(server, fewest=FEWEST * subscribers, patience=PATIENCE)
    with publishing(server) as publisher:
        flow = Flow(publisher.publish, messages(), meter)
        url, headers = server.url("fanout"), server.headers(logged_in=False)
        try:
            await repeat(partial(open_socket, flow.subscriber, url, headers), times=subscribers)
            await flow.begin(window)
            figures = await meter.measure(seconds)
            await flow.end()
        finally:
            for subscriber in flow.subscribers:
                subscriber.hang_up()
    return figures | {"subscribers": subscribers, "window": window}


def messages() -> Callable[[int], bytes]:
    """The message with this number. No two measurements share a message."""
    measurement = secrets.token_hex(8)
    return lambda number: f"{measurement} {number:08d} ".encode().ljust(SIZE, b".")


def _scenario(
    subscribers: int,
    window: int,
    suffix: str = "",
    says: str = "",
    processes: int = 1,
    max_rounds: int = 99,
) -> Scenario:
    return Scenario(
        name=f"fanout-{subscribers}{suffix}",
        title=f"Fan-out of 100 bytes to {subscribers:,} subscribers through Redis{says}",
        unit="deliveries/s",
        figure="rate",
        measure=partial(measure, subscribers=subscribers, window=window),
        publishes=True,
        processes=processes,
        max_rounds=max_rounds,
    )


_ONE = partial(_scenario, window=1, suffix="-one", says=", one message at a time")

#: The window is how many messages are in flight: fewer if each is a lot of work.
SCENARIOS = [
    _scenario(200, window=32),
    _scenario(1000, window=16),
    _scenario(5000, window=4, max_rounds=1),
    _ONE(1000),
    _ONE(5000, max_rounds=1),
    _scenario(
        1000,
        window=16,
        suffix="-2-processes",
        says=", 2 processes on one core",
        processes=2,
        max_rounds=1,
    ),
]
