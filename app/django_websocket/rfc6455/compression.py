"""permessage-deflate (RFC 7692), negotiated so that sockets can share a compressed frame.

Neither side keeps its window from one message to the next. So an idle connection holds no zlib
state, and one compressed frame suits every connection with the same window.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.headers import build_extension

if TYPE_CHECKING:
    from websockets.typing import ExtensionHeader

__all__ = ["WINDOW_BITS", "compressed_frame", "negotiate"]

#: log2 of the window, in bytes: 4 KiB loses little on short messages, and bounds what a message
#: costs while it is inflated or deflated.
WINDOW_BITS = 12

#: zlib has no raw window of 256 bytes. websockets up to 17.1 accepts it, and fails on sending.
_TOO_SMALL_A_WINDOW = ("server_max_window_bits", "8")

_SETTINGS = {"memLevel": 5}

_FACTORY = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=WINDOW_BITS,
    client_max_window_bits=WINDOW_BITS,
    compress_settings=_SETTINGS,
)


def negotiate(offers: Iterable[ExtensionHeader]) -> tuple[str, PerMessageDeflate] | None:
    """The first acceptable offer: the header value that accepts it, and the extension."""
    for name, parameters in offers:
        if name != PerMessageDeflate.name or _TOO_SMALL_A_WINDOW in parameters:
            continue
        try:
            accepted, extension = _FACTORY.process_request_params(parameters, [])
        except NegotiationError:
            # RFC 7692 section 5: decline an unacceptable offer and try the next one.
            continue
        return build_extension([(name, accepted)]), extension
    return None


def compressed_frame(opcode: int, payload: bytes, window_bits: int) -> bytes:
    """One whole compressed frame for all clients that accept a window of ``window_bits``."""
    frame = Frame(Opcode(opcode), payload)
    return frame.serialize(mask=False, extensions=[_encoder(window_bits)])


@cache
def _encoder(window_bits: int) -> PerMessageDeflate:
    """Without context takeover the encoder starts afresh with every message."""
    return PerMessageDeflate(True, True, WINDOW_BITS, window_bits, _SETTINGS)
