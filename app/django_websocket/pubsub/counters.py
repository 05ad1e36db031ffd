"""What this process counts about its channels, for logs and metrics."""

from __future__ import annotations

import dataclasses

__all__ = ["Counters", "counters"]


@dataclasses.dataclass(slots=True)
class Counters:
    #: Messages published by this process.
    published: int = 0
    #: Messages heard from the broker, however many sockets they went to.
    received: int = 0
    #: Messages handed to sockets.
    delivered: int = 0
    #: Gaps that members of a channel were told of.
    gaps: int = 0
    #: How often the broker was lost.
    outages: int = 0
    #: How often a reader in Python lagged so far behind that it goes back to the history.
    readers_lagging: int = 0


counters = Counters()
