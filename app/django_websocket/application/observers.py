"""What observes each message that a view takes, for a socket that somebody wants to observe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from django_websocket.connection.websocket import WebSocket
from django_websocket.metrics import ROUTE, Histogram, counters
from django_websocket.signals import message_received

if TYPE_CHECKING:
    from .requests import Socket, WebSocketRequest

__all__ = ["SAMPLED", "Observer", "at_handshake", "factories", "observer_of", "timing"]


class Observer(Protocol):
    """Called in the view's greenlet."""

    def taken(self, message: str | bytes) -> None:
        """The view is about to get a message."""

    def done(self) -> None:
        """It asks for the next one, or has ended. Also called before the first message."""


#: One socket in so many is measured, as a measured message costs a seventh more.
SAMPLED = 16

#: By route, the number of sockets that have opened.
_opened: defaultdict[str, count[int]] = defaultdict(count)

#: Makes the observer of a socket that opens; None: there is nothing to observe.
Factory = Callable[["WebSocketRequest", "Socket"], Observer | None]


class _Sending:
    """Sends the signal."""

    __slots__ = ("_request", "_socket")

    def __init__(self, request: WebSocketRequest, socket: Socket) -> None:
        self._request = request
        self._socket = socket

    def taken(self, message: str | bytes) -> None:
        message_received.send_robust(
            WebSocket, request=self._request, websocket=self._socket, message=message
        )

    def done(self) -> None:
        """Nothing follows a signal."""


class _Timing:
    """Measures how long the view takes for a message, whatever it waits for."""

    __slots__ = ("_began", "_histogram")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._began = 0.0

    def taken(self, message: str | bytes) -> None:
        self._began = monotonic()

    def done(self) -> None:
        if self._began:
            self._histogram.observe(monotonic() - self._began)
            self._began = 0.0


class _Several:
    __slots__ = ("_observers",)

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def taken(self, message: str | bytes) -> None:
        for observer in self._observers:
            observer.taken(message)

    def done(self) -> None:
        for observer in reversed(self._observers):
            observer.done()


def _signal(request: WebSocketRequest, socket: Socket) -> Observer | None:
    return _Sending(request, socket) if message_received.has_listeners(WebSocket) else None


def timing(request: WebSocketRequest, socket: Socket) -> Observer | None:
    """The observer for ``websocket_message_duration_seconds``, of some sockets of each route."""
    route = request.META[ROUTE]
    if next(_opened[route]) % SAMPLED:
        return None
    return _Timing(counters.message_seconds[route])


#: Called with each handshake when its view is known, within the middleware.
at_handshake: list[Callable[[WebSocketRequest], None]] = []

#: Who observes sockets that open from now on.
factories: list[Factory] = [_signal]


def observer_of(request: WebSocketRequest, socket: Socket) -> Observer | None:
    """What observes this socket, if anybody wants to."""
    found = [observer for make in factories if (observer := make(request, socket)) is not None]
    return _Several(found) if len(found) > 1 else found[0] if found else None
