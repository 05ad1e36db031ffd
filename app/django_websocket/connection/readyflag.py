"""A file descriptor that is readable while a flag is set, for ``select()`` and the like."""

from __future__ import annotations

import os

__all__ = ["ReadyFlag"]


class ReadyFlag:
    """An eventfd (see eventfd(2)). Raises ``OSError`` when the process has no descriptor left."""

    __slots__ = ("_descriptor", "_ready")

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready = False

    def fileno(self) -> int:
        """The eventfd, readable while the flag is set."""
        return self._descriptor

    def set(self, ready: bool) -> None:
        """Make the descriptor readable or not."""
        if ready != self._ready:
            self._ready = ready
            if ready:
                os.eventfd_write(self._descriptor, 1)
            else:
                os.eventfd_read(self._descriptor)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)
