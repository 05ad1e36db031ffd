"""A leaky bucket, kept as the time at which it will be empty."""

from __future__ import annotations

__all__ = ["fill"]


def fill(empty_at: float, amount: float, capacity: float, now: float) -> float | None:
    """When the bucket will be empty with ``amount`` more; None: it has no room for that.

    All in seconds, the times in time.monotonic(): what leaks out in a second counts as one. A
    bucket always has room for one ``amount``, however small its ``capacity``.
    """
    # The level, not the difference of two times, which a rounded sum may exceed.
    level = max(empty_at - now, 0.0) + amount
    return now + level if level <= max(capacity, amount) else None
