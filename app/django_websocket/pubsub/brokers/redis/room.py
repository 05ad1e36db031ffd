"""Room in a Redis that is full: the histories that would expire next are removed."""

from __future__ import annotations

import logging
import time

from redis.exceptions import ResponseError

from django_websocket.metrics import counters

from .address import Address
from .commands import Commands
from .scripts import MAKE_ROOM, histories

__all__ = ["Room"]

logger = logging.getLogger("django_websocket")

#: Seconds after which a full Redis in which no histories were found is searched again.
_IN_VAIN = 1.0


class Room:
    """Not in a cluster, where a script sees the keys of one channel only."""

    def __init__(self, address: Address, commands: Commands) -> None:
        self._pattern = histories(address.prefix)
        self._commands = commands
        #: Where the next step goes on to look for histories.
        self._cursor = "0"
        #: Until when no step is tried, in time.monotonic().
        self._vain_until = float("inf") if address.cluster else 0.0

    def make(self, began: float) -> bool:
        """Whether there may be room now. ``began``: when the call that needs it began."""
        if time.monotonic() < self._vain_until:
            return False
        arguments = (0, self._pattern, self._cursor)
        [reply] = self._commands.evaluate(MAKE_ROOM, arguments, began)
        if isinstance(reply, ResponseError):  # most likely the user has no right to SCAN
            logger.warning("Redis is full, and its histories cannot be removed: %s", reply)
            reply = 0, b"0"
        removed, cursor = reply
        self._cursor = cursor.decode()
        if not removed:
            self._vain_until = time.monotonic() + _IN_VAIN
            return False
        counters.histories_dropped += removed
        logger.warning(
            "Redis is full: removed the histories of %s channels, whose subscribers get a gap if "
            "they come back. Give Redis more memory (maxmemory), or keep less: WEBSOCKET_HISTORY, "
            "WEBSOCKET_HISTORY_SIZE, WEBSOCKET_HISTORY_TTL",
            removed,
        )
        return True
