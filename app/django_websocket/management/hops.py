"""A handshake through the public address, hop by hop: who answers, and what to do if nobody does.

It uses the standard library's sockets and the client side of ``websockets``, and no part of the
server's: what it says holds for any server.
"""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.frames import Close, Opcode
from websockets.headers import build_host
from websockets.http11 import Response
from websockets.uri import WebSocketURI, parse_uri

from django_websocket.patches.logs import plain

__all__ = ["HopFailed", "Visitor", "hops"]

#: The certificate's errors (OpenSSL's X509_V_ERR_…), and what to do.
_CERTIFICATE = {
    10: "it has expired: renew it, and reload the proxy",
    18: "it has signed itself: get one from a certificate authority, or name this one in the "
    "environment variable SSL_CERT_FILE",
    20: "who signed it is unknown here: have the proxy send the whole chain (fullchain.pem), or "
    "name your own authority in the environment variable SSL_CERT_FILE",
    62: "it is for another name: get one for this name, or correct the address",
    64: "it is for another address: name the host as in the certificate",
}

#: What an answer in place of 101 means, and what to do.
_ANSWERS = {
    200: "That is a page: the proxy did not pass on the handshake to the WebSocket application. "
    "It has to select by the Upgrade header, or the path has no socket.",
    400: "The request was refused as malformed: ALLOWED_HOSTS has to name the host, the proxy "
    "must pass on Connection and Upgrade, and an address of https:// needs wss://.",
    401: "A user name and a password are wanted: put them into the address, as in "
    "wss://user:password@host/, or pass --cookie.",
    404: "There is no socket at this path: see WEBSOCKET_URLCONF.",
    426: "The application got no handshake: the proxy must pass on the headers Upgrade and "
    "Connection, over HTTP/1.1.",
    429: "There were too many handshakes or sockets: wait, or raise the limit.",
    500: "The application failed: its log has the traceback.",
    502: "The proxy does not reach the WebSocket application: is it running, and where the proxy "
    "looks for it?",
    503: "The site is closed, starting or full: its log says which.",
    504: "The WebSocket application did not answer the proxy in time: it is frozen or overloaded.",
}


#: Families, and addresses as ``connect()`` takes them.
_Addresses: TypeAlias = list[tuple[int, tuple[Any, ...]]]


class HopFailed(Exception):
    """A hop that does not do its part, in a sentence, and what to do.

    ``status`` is the status of the answer, if the handshake got one.
    """

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class Visitor(NamedTuple):
    """Whose handshake it is. ``origin`` None: that of the address itself."""

    origin: str | None = None
    cookie: str | None = None
    timeout: float = 5.0


def hops(url: str, visitor: Visitor, days: int) -> Iterator[str]:
    """A sentence for each hop. Raises :class:`HopFailed` at the first that fails.

    A certificate that ends within ``days`` fails, too, after all else has been tried.
    """
    uri = _parsed(url)
    addresses = _look_up(uri)
    if not _is_address(uri.host):
        yield f"{uri.host} is {' and '.join(address[0] for _, address in addresses)}."
    sock, notes = _connect(addresses, visitor.timeout)
    with sock:
        yield from notes
        left = None
        if uri.secure:
            sock, sentence, left = _encrypt(sock, uri)
            yield sentence
        origin = visitor.origin or _origin_of(uri)
        with sock:
            connection = _Connection(sock, uri, visitor, origin)
            try:
                yield connection.open()
            except HopFailed as failed:
                if failed.status == HTTPStatus.FORBIDDEN:
                    raise _forbidden(failed, addresses, uri, visitor, origin) from failed
                raise
            yield connection.ping()
            connection.close()
    if left is not None and left < days:
        raise HopFailed(
            f"The certificate of {uri.host} ends in {_days(left)}: renew it, and find out why "
            "that has not happened by itself."
        )


def _forbidden(
    failed: HopFailed, addresses: _Addresses, uri: WebSocketURI, visitor: Visitor, origin: str
) -> HopFailed:
    """The same, with whether it is about the origin: then a client that has none gets in."""
    sock, _ = _connect(addresses, visitor.timeout)
    if uri.secure:
        sock, _, _ = _encrypt(sock, uri)
    with sock:
        try:
            _Connection(sock, uri, visitor, None).open()
        except HopFailed:
            advice = (
                'It refuses this visitor, from any page: pass --cookie "sessionid=…" of somebody '
                "with the permission. The application's log may say more."
            )
        else:
            advice = (
                f"It refuses pages of {origin}, and nobody else: if they are yours, list the "
                "origin in WEBSOCKET_ALLOWED_ORIGINS."
            )
    return HopFailed(f"{failed} {advice}", failed.status)


def _origin_of(uri: WebSocketURI) -> str:
    host = build_host(uri.host, uri.port, uri.secure)
    return f"{'https' if uri.secure else 'http'}://{host}"


def _parsed(url: str) -> WebSocketURI:
    if not url.isprintable() or " " in url:
        raise HopFailed(f"Expected an address without spaces, found {url!r}: write %20.")
    scheme, _, rest = url.partition("://")
    scheme = {"http": "ws", "https": "wss"}.get(scheme.lower(), scheme)
    try:
        return parse_uri(f"{scheme}://{rest}")
    except (InvalidURI, ValueError) as error:
        raise HopFailed(f"Expected an address such as wss://example.com/chat/: {error}.") from error


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return False


# Addresses


def _look_up(uri: WebSocketURI) -> _Addresses:
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


def _connect(addresses: _Addresses, timeout: float) -> tuple[socket.socket, list[str]]:
    """A connection to the first address that takes one, and a sentence about each tried."""
    problems = []
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        began = time.monotonic()
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            problems.append((address, error))
            continue
        notes = [
            f"{_named(address)} {_problem(error)}: browsers that try it first lose time."
            for address, error in problems
            if error.errno not in (errno.ENETUNREACH, errno.EADDRNOTAVAIL)  # this host's own lack
        ]
        return sock, [*notes, f"{_named(address)} accepts connections, in {_since(began)}."]
    address, first = problems[0]
    advice = (
        "a firewall drops the packets, or the host is down."
        if isinstance(first, TimeoutError)
        else "is the proxy running, and is this its port?"
    )
    raise HopFailed(f"{_named(address)} {_problem(first)}: {advice}") from first


def _named(address: tuple[Any, ...]) -> str:
    return f"Port {address[1]} of {address[0]}"


def _problem(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    return f"cannot be reached ({error.strerror})"


# TLS


def _encrypt(sock: socket.socket, uri: WebSocketURI) -> tuple[ssl.SSLSocket, str, int]:
    """The encrypted connection, a sentence, and for how many days the certificate is valid."""
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
    sentence = f"The certificate of {uri.host} is valid for {_days(left)} more, until {day}."
    return encrypted, f"{encrypted.version()}. {sentence}", left


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _brief(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    reason: str | None = getattr(error, "reason", None) or error.strerror
    return (reason or str(error)).lower().replace("_", " ")


# HTTP and WebSocket


class _Connection:
    def __init__(
        self, sock: socket.socket, uri: WebSocketURI, visitor: Visitor, origin: str | None
    ) -> None:
        self._sock = sock
        self._visitor = visitor
        self._origin = origin
        self._protocol = ClientProtocol(uri, origin=origin, max_size=None)  # type: ignore[arg-type]
        self._events: list[Any] = []
        self._deadline = 0.0

    def open(self) -> str:
        """Make the handshake."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = "django-gevent-websocket check"
        if self._visitor.cookie is not None:
            request.headers["Cookie"] = self._visitor.cookie
        self._protocol.send_request(request)
        began = self._begin()
        answer = self._next("The handshake")
        if answer is None:
            raise HopFailed(
                "The connection ended without an answer that is HTTP: is this the port of the "
                "proxy, and does its address begin with wss://?"
            )
        if answer.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            raise self._refused(answer)
        if self._protocol.handshake_exc is not None:
            raise HopFailed(
                f"{_server(answer)} answers 101, but not to this handshake "
                f"({self._protocol.handshake_exc}): a proxy changes the headers of the answer."
            )
        return (
            f"{_server(answer)} answers 101, in {_since(began)}: the application has let in the "
            f"origin {self._origin}."
        )

    def _refused(self, answer: Response) -> HopFailed:
        status = answer.status_code
        reads = f"{_server(answer)} answers {status} {plain(answer.reason_phrase)}"
        location = answer.headers.get("Location")
        if location is not None:
            advice = (
                f"It leads to {plain(location)}. If that is a login, pass --cookie "
                '"sessionid=…" or try a socket that is open to everyone; if it is https://, use '
                "wss://."
            )
        elif status == HTTPStatus.FORBIDDEN:
            return HopFailed(f"{reads}.", status)
        else:
            advice = _ANSWERS.get(status, "The logs of the proxy and of the application say why.")
        return HopFailed(f"{reads}. {advice}", status)

    def ping(self) -> str:
        """Send a ping, and wait for its pong; messages of the view are skipped."""
        payload, began = secrets.token_bytes(8), self._begin()
        self._protocol.send_ping(payload)
        while (frame := self._next("A ping")) is not None:
            if frame.opcode is Opcode.PONG and frame.data == payload:
                return f"A ping is answered in {_since(began)}."
            if frame.opcode is Opcode.CLOSE:
                closed = Close.parse(frame.data)
                reason = f" ({plain(closed.reason)})" if closed.reason else ""
                raise HopFailed(
                    f"The application opens the socket, and closes it with {closed.code}{reason}. "
                    "4401 and 4403: pass --cookie. Other codes: see its view, and its log."
                )
        raise HopFailed(
            "The connection ended after the 101: see the logs of the proxy and of the application."
        )

    def close(self) -> None:
        """Leave politely; nothing depends on the answer."""
        self._protocol.send_close(1000)
        self._flush()

    def _begin(self) -> float:
        """The time, from which what follows has so many seconds."""
        began = time.monotonic()
        self._deadline = began + self._visitor.timeout
        return began

    def _next(self, what: str) -> Any:
        """The next event; None at the end of the connection, and for an answer that is no HTTP."""
        try:
            while not self._events:
                if not self._receive() and not self._events:
                    return None
        except TimeoutError as error:
            raise HopFailed(
                f"{what} is not answered within {self._visitor.timeout:g} s: the proxy does not "
                "pass it on, or the application is frozen or overloaded."
            ) from error
        except OSError:  # reset
            return None
        return self._events.pop(0)

    def _receive(self) -> bool:
        """Take what has arrived. Returns whether more may follow."""
        self._flush()
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        data = self._sock.recv(65536)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._events += self._protocol.events_received()
        return bool(data) and self._protocol.handshake_exc is None

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._sock.sendall(data)


def _server(answer: Response) -> str:
    """What the answer says that it comes from; behind a proxy, that is the proxy."""
    return plain(answer.headers.get("Server") or "The server")


def _since(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
