"""The opening handshake (RFC 6455 section 4.2): a WSGI environ in, an answer out.

A handshake is first checked (:func:`parse`), then it waits for the application's decision, and
only then it is answered (:meth:`Handshake.response`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from websockets.exceptions import InvalidHeader
from websockets.headers import parse_connection, parse_extension, parse_subprotocol
from websockets.utils import accept_key

if TYPE_CHECKING:
    from websockets.typing import ExtensionHeader

__all__ = ["VERSION", "BadHandshake", "Handshake", "is_handshake", "parse"]

VERSION = "13"

#: The relevant part of RFC 3986 section 3.2.2: a name, an address or [an address], and a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]+)(:[0-9]*)?")

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

#: Header fields of the response that the handshake itself sets.
_OWN_FIELDS = frozenset({"connection", "upgrade", "content-length", "transfer-encoding"})


class BadHandshake(Exception):
    """The handshake breaks a rule of the RFC. ``status`` and ``headers`` are the answer."""

    def __init__(
        self,
        sentence: str,
        status: str = "400 Bad Request",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = tuple(headers)


class Handshake:
    """A handshake that the RFC allows: what the client offers."""

    __slots__ = ("extensions", "key", "subprotocols")

    def __init__(
        self, key: str, subprotocols: tuple[str, ...], extensions: list[ExtensionHeader]
    ) -> None:
        self.key = key
        #: In the client's order of preference.
        self.subprotocols = subprotocols
        #: Names and parameters, in the client's order of preference.
        self.extensions = extensions

    def response(
        self,
        subprotocol: str | None = None,
        extension: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> bytes:
        """The 101 response.

        Raises ``ValueError`` for a subprotocol that the client did not offer, and for a header
        that is malformed or that the handshake itself sets.
        """
        fields = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_key(self.key)),
        ]
        if subprotocol is not None:
            # Section 4.2.2: "The value chosen MUST be derived from the client's handshake".
            if subprotocol not in self.subprotocols:
                offered = ", ".join(self.subprotocols) or "none"
                raise ValueError(f"the client offers {offered}, not {subprotocol!r}")
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        if extension is not None:
            fields.append(("Sec-WebSocket-Extensions", extension))
        fields += (_checked(name, value) for name, value in headers)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode("latin-1")


def is_handshake(environ: Mapping[str, Any]) -> bool:
    """Whether the request is meant as a handshake, well-formed or not.

    RFC 9110 section 7.8: "A server MUST ignore an Upgrade header field that is received in an
    HTTP/1.0 request". RFC 6455 section 4.2.1 requires GET; a request for an upgrade with another
    method is an ordinary request.
    """
    upgrade: str = environ.get("HTTP_UPGRADE", "")
    request = (environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"])
    return upgrade.strip().lower() == "websocket" and request == ("GET", "HTTP/1.1")


def parse(environ: Mapping[str, Any]) -> Handshake:
    """Check a handshake against RFC 6455 section 4.2.1. Raises :class:`BadHandshake`."""
    _require_version(environ)
    _require_host(environ)
    _require_no_body(environ)
    try:
        options = parse_connection(environ.get("HTTP_CONNECTION", ""))
        offers = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL")
        subprotocols = tuple(parse_subprotocol(offers)) if offers is not None else ()
        extensions = environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS")
        parsed_extensions = parse_extension(extensions) if extensions else []
    except InvalidHeader as error:
        raise BadHandshake(f"{error}.") from None
    # "A |Connection| header field that includes the token "Upgrade", treated as an ASCII
    # case-insensitive value."
    if not any(option.lower() == "upgrade" for option in options):
        raise BadHandshake(
            "The Connection header lacks the token Upgrade: a proxy must pass on both headers."
        )
    # Section 4.1: "The elements that comprise this value … MUST all be unique strings."
    if len(set(subprotocols)) != len(subprotocols):
        raise BadHandshake("The Sec-WebSocket-Protocol header names a subprotocol twice.")
    return Handshake(_key(environ), subprotocols, parsed_extensions)


def _require_version(environ: Mapping[str, Any]) -> None:
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION", "").strip() != VERSION:
        # Section 4.4: the server answers "with a |Sec-WebSocket-Version| header field …
        # indicating the version(s) the server is capable of understanding".
        raise BadHandshake(
            f"This server speaks WebSocket version {VERSION}.",
            "426 Upgrade Required",
            [("Upgrade", "websocket"), ("Sec-WebSocket-Version", VERSION)],
        )


def _require_host(environ: Mapping[str, Any]) -> None:
    # "A |Host| header field containing the server's authority." Of two, WSGI makes "a,b".
    if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
        raise BadHandshake("The Host header is missing or malformed.")


def _require_no_body(environ: Mapping[str, Any]) -> None:
    # Neither we nor a proxy could tell a body from the first frames.
    if environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ:
        raise BadHandshake("A WebSocket handshake has no body.")


def _key(environ: Mapping[str, Any]) -> str:
    # "A |Sec-WebSocket-Key| header field with a base64-encoded … value that, when decoded, is 16
    # bytes in length."
    key = str(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")).strip()
    try:
        decoded = base64.b64decode(key.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        decoded = b""
    if len(decoded) != 16:
        raise BadHandshake("The Sec-WebSocket-Key header is not 16 bytes in base64.")
    return key


def _checked(name: str, value: str) -> tuple[str, str]:
    if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
        raise ValueError(f"malformed header {name!r}: {value!r}")
    if name.lower() in _OWN_FIELDS or name.lower().startswith("sec-websocket-"):
        raise ValueError(f"the handshake itself sets the header {name}")
    return name, value
