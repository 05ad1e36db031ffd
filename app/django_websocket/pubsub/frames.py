"""The frames of a message, encoded once for all sockets that get the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django_websocket.conf import get_options
from django_websocket.rfc6455.compression import compressed_frame
from django_websocket.rfc6455.frames import BINARY, TEXT, encode_frame

from .message import Encode, Message, encode

__all__ = ["frame_of"]


def frame_of(message: Message, own: Encode, window_bits: int | None) -> bytes:
    """The frame for clients with this window. ``own`` makes its content, except for notices.

    Raises what ``own`` raises, and ``TypeError`` if it returns neither ``str`` nor bytes.
    """
    own = encode if message.notice else own
    key = own, window_bits
    frame = message.frames.get(key)
    if frame is None:
        frame = _make(own(message), window_bits)
        if _has_name(own):
            message.frames[key] = frame
    return frame


def _make(content: Any, window_bits: int | None) -> bytes:
    if isinstance(content, str):
        opcode, payload = TEXT, content.encode()
    elif isinstance(content, bytes | bytearray | memoryview):
        opcode, payload = BINARY, bytes(content)
    else:
        raise TypeError(f"expected str or bytes from encode, found {type(content).__name__}")
    if window_bits is not None and len(payload) >= (get_options().compression_threshold or 0):
        return compressed_frame(opcode, payload, window_bits)
    return encode_frame(opcode, payload)


def _has_name(function: Callable[..., Any]) -> bool:
    """Whether sockets share the function; a closure, or a lambda in a view, is one socket's."""
    found: Any = sys.modules.get(getattr(function, "__module__", None) or "")
    for name in getattr(function, "__qualname__", "?").split("."):
        found = getattr(found, name, None)
    return found is function
