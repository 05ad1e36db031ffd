"""What this process counts about its sockets, for logs and metrics."""

from __future__ import annotations

import dataclasses

__all__ = ["Counters", "counters"]


@dataclasses.dataclass(slots=True)
class Counters:
    #: Broadcasts that a full send buffer dropped (``WEBSOCKET_SEND_BUFFER_POLICY``).
    broadcasts_dropped: int = 0
    #: Broadcasts that a later one replaced before they left.
    broadcasts_replaced: int = 0
    #: Sockets that a broadcast closed with 1013, because their send buffer was full.
    slow_clients_closed: int = 0


counters = Counters()
