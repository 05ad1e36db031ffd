"""What ``websocket.js`` gets besides a view's messages: docs/reference/client-protocol.md.

A client asks for it with ``?wire=1`` in the URL of its handshake. No other client gets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django_websocket.rfc6455.frames import TEXT, encode_frame
from django_websocket.serializers.jsontext import dumps

__all__ = ["heartbeat", "is_spoken", "position", "unsubscribed"]

_ASKED_FOR = "wire=1"


def is_spoken(environ: Mapping[str, Any]) -> bool:
    """Whether the client of this handshake knows the reserved types of messages."""
    query: str = environ.get("QUERY_STRING", "")
    return _ASKED_FOR in query and _ASKED_FOR in query.split("&")


@lru_cache(maxsize=8)
def heartbeat(within: float) -> bytes:
    """The frame that says that the connection is alive; the next follows ``within`` seconds."""
    return _frame({"type": "ws.heartbeat", "within": within})


def position(channel: str, id: str) -> bytes:  # noqa: A002
    """The frame with the position to resume ``channel`` from if no message arrives."""
    return _frame({"type": "ws.position", "channel": channel, "id": id})


def unsubscribed(channel: str) -> bytes:
    """The frame that says that the client may no longer follow the channel."""
    return _frame({"type": "ws.unsubscribed", "channel": channel})


def _frame(value: dict[str, Any]) -> bytes:
    return encode_frame(TEXT, dumps(value).encode())
