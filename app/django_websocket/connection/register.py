"""How many sockets somebody has open: a user, an address."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol
from weakref import WeakSet

__all__ = ["Register"]

#: How many keys are added between two searches for those that have no sockets left.
_SWEEP = 1000


class Socket(Protocol):
    """What is counted. It must have a weak reference."""

    @property
    def closed(self) -> bool: ...


class Register:
    """Sockets by key. One that has closed, or whose handshake was refused, counts no more."""

    def __init__(self) -> None:
        self._sockets: dict[Hashable, WeakSet[Socket]] = {}
        self._sweep_at = _SWEEP

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._sockets)

    def count(self, key: Hashable) -> int:
        """How many sockets are open, those whose handshake is under way included."""
        sockets = self._sockets.get(key)
        return sum(not socket.closed for socket in sockets) if sockets else 0

    def add(self, key: Hashable, socket: Socket) -> None:
        """Count the socket until it closes."""
        if len(self._sockets) >= self._sweep_at:
            self._sockets = {key: found for key, found in self._sockets.items() if found}
            self._sweep_at = len(self._sockets) + _SWEEP
        self._sockets.setdefault(key, WeakSet()).add(socket)
