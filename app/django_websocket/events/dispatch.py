"""The loop of a view with handlers: a message of the client's, or of a channel, at a time."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.handlers.base import BaseHandler
from django.core.signals import got_request_exception
from django.forms import BaseForm
from django.http import Http404, HttpRequest
from gevent.select import select
from geventwebsocket.exceptions import WebSocketError

from django_websocket.application.requests import Socket
from django_websocket.auth.permissions import holds
from django_websocket.compat.stock import StockWebSocket
from django_websocket.conf import get_options
from django_websocket.connection.leakybucket import fill
from django_websocket.errors import BrokerError, ConnectionClosed, UnsupportedByWorker
from django_websocket.patches.logs import plain
from django_websocket.pubsub import subscribe
from django_websocket.pubsub.arguments import position_of
from django_websocket.pubsub.message import Message, encode
from django_websocket.pubsub.reader import Reader

from .chosen import Own
from .handlers import Handler, Handlers
from .payloads import errors_of
from .refusals import refusal_of
from .requests import Error, refusal, reply, understand

__all__ = ["Dispatch", "Limits"]

#: Django logs the errors of pages there, and mails some of them to ADMINS.
logger = logging.getLogger("django.request")


class Limits(NamedTuple):
    """``rate`` is in events a second, ``max_size`` in bytes."""

    rate: float | None = None
    max_size: int | None = None


class Dispatch:
    """``call(function, payload)`` calls a handler with all its arguments. ``arguments`` are the
    URL's, for the names of channels.
    """

    __slots__ = (
        "_arguments",
        "_call",
        "_empty_at",
        "_handlers",
        "_limits",
        "_own",
        "_request",
        "_websocket",
    )

    def __init__(
        self,
        handlers: Handlers,
        limits: Limits,
        request: HttpRequest,
        websocket: Socket,
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        call: Callable[[Callable[..., Any], Any], Any],
        own: Own,
    ) -> None:
        self._handlers = handlers
        self._limits = limits
        self._request = request
        self._websocket = websocket
        self._arguments = arguments
        self._call = call
        self._own = own
        #: When the bucket of the rate is empty, in time.monotonic().
        self._empty_at = 0.0

    def run(self) -> None:
        """Until the socket is closed. Raises :class:`BrokerError`, and as a view's calls do."""
        if self._handlers.channels:
            self._run_with_channels()
            return
        for message in self._websocket:
            self._take(message)

    def _run_with_channels(self) -> None:
        if isinstance(
            self._websocket, StockWebSocket
        ):  # its descriptor misses what is read already
            raise UnsupportedByWorker("published()")
        with subscribe(timeout=0) as reader:
            handlers = self._follow(reader)
            while True:
                if self._websocket._before_wait is not None:
                    self._websocket._before_wait()
                readable, _, _ = select([self._websocket, reader], [], [])
                if self._websocket in readable:
                    message = self._websocket.receive()
                    if message is None:
                        return
                    self._take(message)
                if reader in readable and not self._websocket.closed:
                    with suppress(TimeoutError, ConnectionClosed):
                        published = reader.receive(0)
                        self._pass_on(published, handlers[published.channel])

    def _follow(self, reader: Reader) -> dict[str, Callable[..., Any]]:
        """Subscribe to the channels of the handlers, from where the client says it is.

        Raises ``ValueError`` if two of them have the same channel.
        """
        handlers: dict[str, Callable[..., Any]] = {}
        for channel_of, function in self._handlers.channels:
            if callable(channel_of):
                channel = channel_of(self._request)
            else:
                args, kwargs = self._arguments
                channel = channel_of.format(*args, **kwargs)
            if channel in handlers:
                raise ValueError(f"the channel {channel!r} has two handlers")
            reader.subscribe(channel, position_of(self._request.GET, channel))
            handlers[channel] = function
        return handlers

    # Events

    def _take(self, message: str | bytes) -> None:
        id, event, wrong = understand(message)  # noqa: A001
        error = self._excess(message) or wrong
        name, answer = event.pop("type", ""), None
        if error is None:
            answer, error = self._outcome(name, event)
        try:
            reply(self._websocket, id, answer, error)
        except (TypeError, ValueError) as problem:  # the answer is not JSON-serialisable
            reply(self._websocket, id, None, self._internal(name, problem))

    def _excess(self, message: str | bytes) -> Error | None:
        rate, max_size = self._limits
        if rate is not None and self._is_too_fast(rate):
            return refusal("too_fast", "Not so fast: wait a moment.")
        if max_size is not None and len(message) * 4 > max_size:
            size = len(message if isinstance(message, bytes) else message.encode())
            if size > max_size:
                return refusal("too_large", f"Send at most {max_size} bytes.")
        return None

    def _is_too_fast(self, rate: float) -> bool:
        empty_at = fill(self._empty_at, 1 / rate, get_options().receive_burst, monotonic())
        if empty_at is None:
            return True
        self._empty_at = empty_at
        return False

    def _outcome(self, name: str, payload: dict[str, Any]) -> tuple[Any, Error | None]:
        """The answer, or what is wrong."""
        own = self._own.get(name)
        if own is not None:
            return self._answer(name, own, lambda: own(payload))
        handler = self._handlers.events.get(name)
        if handler is None:
            return None, refusal("unknown_event", f"There is no event {name[:100]!r}.")

        def handle() -> Any:
            self._require(handler)
            return self._call(handler.function, handler.convert(payload))

        return self._answer(name, handler.function, handle)

    def _answer(
        self, name: str, function: Callable[..., Any], handle: Callable[[], Any]
    ) -> tuple[Any, Error | None]:
        try:
            answer = _as_a_request(self._request, function, handle)
            if isinstance(answer, BaseForm) and answer.errors:
                raise errors_of(answer)
        except (BrokerError, WebSocketError):
            raise
        except Exception as error:  # noqa: BLE001 - it costs this event, not the socket
            return None, refusal_of(error) or self._internal(name, error)
        return answer, None

    def _require(self, handler: Handler) -> None:
        """Raises ``PermissionDenied``. Asks the database: the user may be hours old."""
        if not handler.permissions:
            return
        if not hasattr(self._request, "user"):
            raise ImproperlyConfigured(
                "permission=… needs request.user: add "
                "django.contrib.auth.middleware.AuthenticationMiddleware to MIDDLEWARE"
            )
        if not holds(self._request.user, handler.permissions):
            raise PermissionDenied

    # Channels

    def _pass_on(self, message: Message, function: Callable[..., Any]) -> None:
        """Send the client what the handler makes of a published message, under its id."""
        if message.notice:
            self._websocket.send(encode(message))
            return
        try:
            data = _as_a_request(self._request, function, lambda: self._call(function, message))
            if data is not None:
                edited = {"edited": message.edited} if message.edited else {}
                self._websocket.send_json(
                    {"id": message.id, "channel": message.channel, **edited, "data": data}
                )
        except (BrokerError, WebSocketError):
            raise
        except (PermissionDenied, Http404):
            pass  # not for this client
        except Exception as error:  # noqa: BLE001 - it costs this message, not the socket
            self._internal(message.channel, error)

    def _internal(self, what: str, error: Exception) -> Error:
        """Log a bug as Django logs a page's, and return what the client gets."""
        logger.error(
            "Internal Server Error: %s, %s",
            plain(self._request.path),
            plain(what),
            exc_info=error,
            extra={"status_code": 500, "request": self._request},
        )
        got_request_exception.send(sender=type(self), request=self._request)
        if self._websocket._before_wait is not None:
            self._websocket._before_wait()  # its connection to the database may be broken
        return refusal("internal", "Something went wrong on the server.")


def _as_a_request(
    request: HttpRequest, function: Callable[..., Any], work: Callable[[], Any]
) -> Any:
    """What ``work`` returns, done as a page's view is: ``ATOMIC_REQUESTS`` asks for a transaction,
    unless ``function`` is marked with ``@non_atomic_requests``.
    """

    @functools.wraps(function)
    def view(request: HttpRequest) -> Any:
        return work()

    return BaseHandler().make_view_atomic(view)(request)
