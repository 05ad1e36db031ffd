"""A handshake through the public address, hop by hop: who answers, and what to do if nobody does.

It uses the standard library's sockets and the client side of ``websockets``, and no part of the
server's: what it says holds for any server.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

from websockets.client import ClientProtocol
from websockets.frames import Close, Opcode
from websockets.headers import build_host
from websockets.http11 import Response
from websockets.uri import WebSocketURI

from django_websocket.patches.logs import plain

from .reach import (
    Addresses,
    HopFailed,
    connect,
    encrypt,
    in_days,
    is_address,
    look_up,
    parse,
    since,
)

__all__ = ["HopFailed", "Visitor", "hops"]

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
    501: "The worker cannot open sockets, or the handshake reached the pages: see the worker class "
    "and the log, and have the proxy pass on Upgrade and Connection.",
    502: "The proxy does not reach the WebSocket application: is it running, and where the proxy "
    "looks for it?",
    503: "The site is closed, starting or full: its log says which.",
    504: "The WebSocket application did not answer the proxy in time: it is frozen or overloaded.",
}


class Visitor(NamedTuple):
    """Whose handshake it is. ``origin`` None: that of the address itself."""

    origin: str | None = None
    cookie: str | None = None
    timeout: float = 5.0


def hops(url: str, visitor: Visitor, days: int) -> Iterator[str]:
    """A sentence for each hop. Raises :class:`HopFailed` at the first that fails.

    A certificate that ends within ``days`` fails, too, after all else has been tried.
    """
    _check(visitor)
    uri = parse(url)
    addresses = look_up(uri)
    if not is_address(uri.host):
        yield f"{uri.host} is {' and '.join(address[0] for _, address in addresses)}."
    sock, notes = connect(addresses, visitor.timeout)
    with sock:
        yield from notes
        left = None
        if uri.secure:
            sock, sentence, left = encrypt(sock, uri)
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
            f"The certificate of {uri.host} ends in {in_days(left)}: renew it, and find out why "
            "that has not happened by itself."
        )


def _check(visitor: Visitor) -> None:
    for name, value in (("origin", visitor.origin), ("cookie", visitor.cookie)):
        if value is not None and not (value.isascii() and value.isprintable()):
            raise HopFailed(f"Expected --{name} in printable ASCII, found {value!r}.")


def _forbidden(
    failed: HopFailed, addresses: Addresses, uri: WebSocketURI, visitor: Visitor, origin: str
) -> HopFailed:
    """The same, with whether it is about the origin: then a client that has none gets in."""
    sock, _ = connect(addresses, visitor.timeout)
    if uri.secure:
        sock, _, _ = encrypt(sock, uri)
    with sock:
        try:
            _Connection(sock, uri, visitor, None).open()
        except HopFailed:
            advice = (
                'It refuses this visitor, from any page: pass --cookie "sessionid=…" of somebody '
                "with the permission. The logs of the proxy and of the application may say more."
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
            f"{_server(answer)} answers 101, in {since(began)}: the application has let in the "
            f"origin {self._origin}."
        )

    def _refused(self, answer: Response) -> HopFailed:
        status = answer.status_code
        reads = f"{_server(answer)} answers {status} {plain(answer.reason_phrase)}"
        location = _header(answer, "Location")
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
                return f"A ping is answered in {since(began)}."
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


def _header(answer: Response, name: str) -> str | None:
    """The header; the first, where there are several."""
    return next(iter(answer.headers.get_all(name)), None)


def _server(answer: Response) -> str:
    """What the answer says that it comes from; behind a proxy, that is the proxy."""
    return plain(_header(answer, "Server") or "The server")
