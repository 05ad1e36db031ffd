"""The way to a server: its address, its port, its TLS."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
import time
from typing import Any, TypeAlias

from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

__all__ = [
    "Addresses", "HopFailed", "connect", "encrypt", "in_days", "is_address", "look_up", "parse",
    "since",
]  # fmt: skip

_UNKNOWN_ISSUER = (
    "who signed it is unknown here: have the proxy send the whole chain (fullchain.pem), or name "
    "your own authority in the environment variable SSL_CERT_FILE"
)

#: The certificate's errors (OpenSSL's X509_V_ERR_…), and what to do.
_CERTIFICATE = {
    9: "it is not valid yet: see the clocks of both hosts",
    10: "it has expired: renew it, and reload the proxy",
    18: "it has signed itself: get one from a certificate authority, or name this one in the "
    "environment variable SSL_CERT_FILE",
    19: _UNKNOWN_ISSUER,
    20: _UNKNOWN_ISSUER,
    21: _UNKNOWN_ISSUER,
    62: "it is for another name: get one for this name, or correct the address",
    64: "it is for another address: name the host as in the certificate",
}

#: Errors of an address that this host has no way to, such as IPv6 addresses without IPv6.
_OWN_LACK = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

#: What an address costs that takes no connections, beside one that does.
_LOST = (
    "visitors who get this address first lose time. Have the proxy listen there, too, or take the "
    "address out of the DNS."
)

#: Families, and addresses as ``connect()`` takes them.
Addresses: TypeAlias = list[tuple[int, tuple[Any, ...]]]


class HopFailed(Exception):
    """A hop that does not do its part, in a sentence, and what to do.

    ``status`` is the status of the answer, if the handshake got one.
    """

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


def parse(url: str) -> WebSocketURI:
    """The parsed address, of wss:// or as browsers show it. Raises :class:`HopFailed`."""
    if not url.isprintable() or " " in url:
        raise HopFailed(f"Expected an address without spaces, found {url!r}: write %20.")
    scheme, _, rest = url.partition("://")
    scheme = {"http": "ws", "https": "wss"}.get(scheme.lower(), scheme)
    try:
        return parse_uri(f"{scheme}://{rest}")
    except (InvalidURI, ValueError) as error:
        raise HopFailed(f"Expected an address such as wss://example.com/chat/: {error}.") from error


def is_address(host: str) -> bool:
    """Whether it is an IP address and no name."""
    try:
        return bool(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return False


# Addresses


def look_up(uri: WebSocketURI) -> Addresses:
    """The addresses of the host. Raises :class:`HopFailed`."""
    try:
        found = socket.getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            advice = "the name servers do not answer: see /etc/resolv.conf of this host"
        else:
            advice = "correct the name, or add its A or AAAA record"
        raise HopFailed(f"{uri.host} has no address ({error.strerror}): {advice}.") from error
    except UnicodeError as error:
        raise HopFailed(f"{uri.host[:80]} is no name of a host: correct it.") from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def connect(addresses: Addresses, timeout: float) -> tuple[socket.socket, list[str]]:
    """A connection to the first address that takes one, and a sentence about each.

    Raises :class:`HopFailed` if none does.
    """
    found: list[socket.socket] = []
    problems: list[tuple[tuple[Any, ...], OSError]] = []
    sentences = []
    for family, address in addresses:
        began = time.monotonic()
        try:
            found.append(_connected(family, address, timeout))
        except OSError as error:
            problems.append((address, error))
            if error.errno not in _OWN_LACK:
                sentences.append(f"{_named(address)} {_problem(error)}: {_LOST}")
        else:
            sentences.append(f"{_named(address)} accepts connections, in {since(began)}.")
    for other in found[1:]:
        other.close()
    if found:
        return found[0], sentences
    address, first = problems[0]
    advice = (
        "a firewall drops the packets, or the host is down."
        if isinstance(first, TimeoutError)
        else "is the proxy running, and is this its port?"
    )
    raise HopFailed(f"{_named(address)} {_problem(first)}: {advice}") from first


def _connected(family: int, address: tuple[Any, ...], timeout: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _named(address: tuple[Any, ...]) -> str:
    return f"Port {address[1]} of {address[0]}"


def _problem(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    return f"cannot be reached ({error.strerror})"


# TLS


def encrypt(sock: socket.socket, uri: WebSocketURI) -> tuple[ssl.SSLSocket, str, int]:
    """The encrypted connection, a sentence, and for how many days the certificate is valid.

    Raises :class:`HopFailed`.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        encrypted = context.wrap_socket(sock, server_hostname=uri.host)
    except ssl.SSLCertVerificationError as error:
        reason = _CERTIFICATE.get(error.verify_code, error.verify_message)
        raise HopFailed(f"The certificate of {uri.host} is not trusted: {reason}.") from error
    except (ssl.SSLError, OSError) as error:
        raise HopFailed(
            f"Port {uri.port} of {uri.host} does not speak TLS ({_brief(error)}): correct the "
            "port, use ws://, or see the proxy's log."
        ) from error
    certificate: dict[str, Any] = encrypted.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    left = int((ends - time.time()) // 86400)
    day = time.strftime("%Y-%m-%d", time.gmtime(ends))
    sentence = f"The certificate of {uri.host} is valid for {in_days(left)} more, until {day}."
    return encrypted, f"{encrypted.version()}. {sentence}", left


def in_days(count: int) -> str:
    """``count`` with its unit."""
    return f"{count} day{'' if count == 1 else 's'}"


def _brief(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    reason: str | None = getattr(error, "reason", None) or error.strerror
    return (reason or str(error)).lower().replace("_", " ")


def since(began: float) -> str:
    """How long ago that was."""
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
