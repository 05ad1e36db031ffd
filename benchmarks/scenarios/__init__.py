"""Everything that is measured; a module for each kind."""

from . import echo, handshakes, memory, stall

SCENARIOS = [
    scenario for module in (echo, stall, handshakes, memory) for scenario in module.SCENARIOS
]
