"""How much resident memory an idle connection with a session and a user costs."""

from __future__ import annotations

import resource

from harness.client import connected, text
from harness.scenario import Scenario
from harness.server import Server

CONNECTIONS = 10_000
SPARE_FILES = 1_000
WARM_UP_CONNECTIONS = 100


async def measure(server: Server, seconds: float) -> dict[str, float]:
    """``seconds`` does not matter: it takes as long as the connections take to open."""
    count = min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    # What a server loads or allocates once is not a connection's cost.
    async with connected(server, text(16), WARM_UP_CONNECTIONS):
        pass
    before = server.resident_memory()
    async with connected(server, text(16), count):
        after = server.resident_memory()
    return {"kilobytes": (after - before) / count / 1000, "connections": count}


SCENARIOS = [
    Scenario(
        name="memory",
        title="Memory of an idle authenticated connection, 10,000 on one worker",
        unit="kB",
        figure="kilobytes",
        measure=measure,
        higher_is_better=False,
        needs_sessions=True,
        apart=True,
    )
]
