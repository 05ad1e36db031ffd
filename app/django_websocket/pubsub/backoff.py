"""How long to wait before the next attempt: exponential backoff with full jitter."""

from __future__ import annotations

import random

__all__ = ["FIRST_PAUSE", "LONGEST_PAUSE", "Backoff"]

#: The limit of the first pause, and the highest limit, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0


class Backoff:
    """The pauses between attempts that are repeated until one succeeds.

    A pause is random, between 0 and a limit that doubles with each failure, so that the processes
    of a site do not all reconnect at once.
    """

    __slots__ = ("failures",)

    def __init__(self) -> None:
        #: How many attempts have failed in a row.
        self.failures = 0

    def fail(self) -> float:
        """One more attempt has failed. Returns the seconds to wait before the next one."""
        limit = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.failures, 10))
        self.failures += 1
        return random.uniform(0, limit)  # noqa: S311

    def reset(self) -> None:
        """An attempt has succeeded."""
        self.failures = 0
