"""Ends a thread's wait for file descriptors."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterable

__all__ = ["Wakeup"]


class Wakeup:
    """One thread waits; any other may wake it."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def wake(self) -> None:
        """End the present wait, or the next one."""
        with contextlib.suppress(OSError):  # it has been woken often enough, or has ended
            self._theirs.send(b"!")

    def wait(self, seconds: float, filenos: Iterable[int] = ()) -> None:
        """Wait until a descriptor is readable, someone wakes us, or ``seconds`` have passed."""
        poll = select.poll()
        for fileno in (self._ours.fileno(), *filenos):
            poll.register(fileno, select.POLLIN)
        poll.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            self._ours.recv(4096)

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
