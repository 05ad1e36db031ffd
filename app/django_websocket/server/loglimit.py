"""Rate-limited log lines, for causes that any client can repeat."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["OnceAMinute"]

_INTERVAL = 60.0


class OnceAMinute:
    """Calls ``log``, such as ``logger.warning``, at most once a minute."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._again = 0.0

    def __call__(self, line: str, *values: object) -> None:
        """Log ``line % values``, unless a line was logged within the last minute."""
        now = time.monotonic()
        if now >= self._again:
            self._again = now + _INTERVAL
            self._log(line, *values)
