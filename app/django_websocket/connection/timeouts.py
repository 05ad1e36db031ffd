"""Checks of timeouts that callers pass: a NaN would hang the event loop."""

from __future__ import annotations

from typing import Any

__all__ = ["LONGEST", "check_timeout", "is_number"]

#: The longest timeout, in seconds: a century.
LONGEST = 100 * 365 * 24 * 3600.0


def check_timeout(timeout: Any, *, may_be_over: bool = False) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless ``timeout`` is a valid one; None: for ever.

    ``may_be_over``: a negative one is accepted, as ``deadline - now`` may be negative.
    """
    if timeout is None:
        return
    if not is_number(timeout):
        raise TypeError(f"expected a timeout in seconds or None, found {timeout!r}")
    if not (timeout <= LONGEST and (may_be_over or timeout >= 0)):
        raise ValueError(
            f"expected a timeout of 0 or more seconds, {LONGEST:.0f} at most, found {timeout}"
        )


def is_number(value: Any) -> bool:
    """Whether ``value`` is an int or a float, and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)
