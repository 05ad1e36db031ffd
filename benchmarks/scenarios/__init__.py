"""Everything that is measured; one module for each kind."""

from . import echo, fanout, handshakes, memory, stall

SCENARIOS = [
    scenario
    for module in (echo, stall, handshakes, fanout, memory)
    for scenario in module.SCENARIOS
]
