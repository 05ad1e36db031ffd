"""Counters of this process' sockets and channels, for logs and metrics."""

from __future__ import annotations

import dataclasses

__all__ = ["Counters", "counters"]


@dataclasses.dataclass(slots=True)
class Counters:
    """Totals since the process started."""

    #: Broadcasts that a full send buffer dropped (``WEBSOCKET_SEND_BUFFER_POLICY``).
    broadcasts_dropped: int = 0
    #: Broadcasts that a later one replaced before they left.
    broadcasts_replaced: int = 0
    #: Sockets that a broadcast closed with 1013, because their send buffer was full.
    slow_clients_closed: int = 0
    #: How often a client was not read for a while, as it sent more than ``WEBSOCKET_RECEIVE_RATE``
    #: or ``WEBSOCKET_RECEIVE_BYTE_RATE`` (``WEBSOCKET_RECEIVE_POLICY``).
    clients_throttled: int = 0
    #: Sockets that were closed with 1008 for the same reason.
    flooding_clients_closed: int = 0
    #: Handshakes that ``WEBSOCKET_HANDSHAKE_RATE`` refused, ...
    handshakes_refused_to_address: int = 0
    #: ... those that ``WEBSOCKET_MAX_SOCKETS_PER_ADDRESS`` refused, ...
    sockets_refused_to_address: int = 0
    #: ... and those that ``WEBSOCKET_MAX_SOCKETS_PER_USER`` refused.
    sockets_refused_to_user: int = 0
    #: Calls that ``WEBSOCKET_MAX_CHANNELS`` refused.
    channels_refused: int = 0

    #: Messages published by this process.
    published: int = 0
    #: Messages received from the broker, however many sockets they went to.
    received: int = 0
    #: Messages handed to sockets.
    delivered: int = 0
    #: Gap messages sent to members of channels.
    gaps: int = 0
    #: Histories of channels that were removed because Redis was full.
    histories_dropped: int = 0
    #: How often the broker was lost.
    outages: int = 0
    #: How often a reader in Python was so slow that it went back to the history.
    readers_lagging: int = 0


counters = Counters()
