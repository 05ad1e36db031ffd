"""Checks of callers' arguments: an error names what was expected and found."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from django_websocket.connection.timeouts import LONGEST, is_number

__all__ = [
    "MAX_HISTORY",
    "MAX_TTL",
    "check_function",
    "check_history",
    "check_since",
    "check_ttl",
    "position_of",
]

#: The longest history of a channel, in messages and in seconds.
MAX_HISTORY, MAX_TTL = 1_000_000_000, LONGEST


def check_history(history: Any) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless ``history`` is a number of messages."""
    if not isinstance(history, int) or isinstance(history, bool):
        raise TypeError(f"expected a history as int, found {history!r}")
    if not 0 <= history <= MAX_HISTORY:
        raise ValueError(f"expected a history of 0 to {MAX_HISTORY} messages, found {history}")


def check_ttl(ttl: Any) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless ``ttl`` is a time to keep messages for."""
    if not is_number(ttl):
        raise TypeError(f"expected a ttl in seconds as int or float, found {ttl!r}")
    if not 0 < ttl <= MAX_TTL:
        raise ValueError(f"expected a ttl of more than 0 and at most {MAX_TTL:.0f} s, found {ttl}")


def check_since(since: Any) -> None:
    """Raises ``TypeError`` unless ``since`` may be a client's position, which is any str."""
    if not isinstance(since, str | None):
        raise TypeError(f"expected since as str or None, found {since!r}")


def position_of(since: Any, channel: str) -> Any:
    """``since`` of one channel, from a request's ``GET``, in which ``websocket.js`` sends all."""
    if not isinstance(since, Mapping):
        return since
    found = since.get(f"since.{channel}")
    if found is None:
        # "since." alone: a channel of which the client knows no position yet.
        others = any(name.startswith("since.") for name in since)
        found = since.get("since." if others else "since")
    return found


def check_function(name: str, function: Any) -> None:
    """Raises ``TypeError`` unless ``function`` is callable and hashable."""
    if not callable(function) or not isinstance(function, Hashable):
        raise TypeError(f"expected {name} as a function of a message, found {function!r}")
