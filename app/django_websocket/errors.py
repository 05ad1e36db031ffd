"""The exceptions of the library.

::

    WebSocketException
    ├── ConnectionClosed        the connection ended; also a geventwebsocket WebSocketError
    ├── InvalidJSON             a client's message is not JSON; also a json.JSONDecodeError
    ├── TooManyChannels         the socket is in WEBSOCKET_MAX_CHANNELS channels
    ├── UnsupportedByWorker     the call needs WebSocketWorker, but another worker runs
    ├── UnsupportedByBroker     the broker does not offer what the call needs
    ├── ImproperSetting         a WEBSOCKET_* setting has a wrong value
    └── BrokerError             the broker (WEBSOCKET_BROKER) is unreachable or refuses
        └── ChannelError        the broker works, but cannot use this channel's data
"""

from __future__ import annotations

from json import JSONDecodeError
from typing import Protocol, Self

from geventwebsocket.exceptions import WebSocketError

__all__ = [
    "BrokerError",
    "ChannelError",
    "ConnectionClosed",
    "ImproperSetting",
    "InvalidJSON",
    "TooManyChannels",
    "UnsupportedByBroker",
    "UnsupportedByWorker",
    "WebSocketException",
]


class WebSocketException(Exception):
    """Base of every exception that this library raises."""


class Closed(Protocol):
    """How a socket has ended."""

    @property
    def close_code(self) -> int | None: ...

    @property
    def close_reason(self) -> str: ...


class ConnectionClosed(WebSocketException, WebSocketError):  # type: ignore[misc]
    """The connection is closed, so the message was not sent.

    ``code`` is the close code (RFC 6455 section 7.4; 1006 when no close frame came),
    ``reason`` the close reason, at most 123 bytes of UTF-8.
    """

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        super().__init__(f"the WebSocket is closed (code {code}{': ' if reason else ''}{reason})")
        self.code = code
        self.reason = reason

    @classmethod
    def of(cls, socket: Closed) -> Self:
        """The error for a closed socket; code 1006 if the socket has none."""
        return cls(socket.close_code or 1006, socket.close_reason)


class InvalidJSON(WebSocketException, JSONDecodeError):
    """A client's message is not JSON (RFC 8259), or holds NaN, infinity or a lone surrogate.

    It is a ``ValueError``. If a view does not catch it, the socket closes with 1007. ``doc`` is the
    message, ``pos`` the index in it where decoding failed, 0 if unknown.
    """

    def __init__(self, msg: str, doc: str, pos: int = 0) -> None:
        super().__init__(msg, doc, pos)


class TooManyChannels(WebSocketException):
    """The socket is in as many channels as ``WEBSOCKET_MAX_CHANNELS`` allows.

    If a view does not catch it, the socket closes with 1008.
    """


class UnsupportedByWorker(WebSocketException):
    """The call needs our worker, but this process runs gevent-websocket's."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} needs django_websocket.worker.WebSocketWorker, but this process runs "
            "another worker: start gunicorn with "
            "--worker-class django_websocket.worker.WebSocketWorker"
        )


class UnsupportedByBroker(WebSocketException):
    """The broker in ``WEBSOCKET_BROKER`` does not offer what the call needs, as presence."""


class ImproperSetting(WebSocketException):
    """A ``WEBSOCKET_*`` setting has a value that cannot be used."""


class BrokerError(WebSocketException):
    """The broker is unreachable, or refuses.

    If ``publish()`` raises it, the message was most likely not published. It may have been if the
    connection broke at the last moment.
    """


class ChannelError(BrokerError):
    """The broker cannot use one channel's data; other channels are not affected.

    In Redis, for example, one of the channel's keys has been overwritten with another type.
    """
