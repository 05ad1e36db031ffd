"""Spans of OpenTelemetry for the messages of sockets.

A handshake has a span by ``opentelemetry-instrumentation-django``, as a page has.
"""

from __future__ import annotations

import sys
from contextvars import Token
from functools import cache
from typing import TYPE_CHECKING, Any

from django.core.signals import got_request_exception
from gevent import getcurrent
from opentelemetry import context, trace

from .application import observers
from .metrics import ROUTE

if TYPE_CHECKING:
    from .application.requests import Socket, WebSocketRequest

__all__ = ["trace_messages"]

#: Where a handshake leaves the context of its span, in the WSGI environ.
_HANDSHAKE = "django_websocket.span"

_tracer = trace.get_tracer("django_websocket")


@cache
def trace_messages() -> None:
    """Make a span for each message that a view takes, linked to that of its handshake.

    Call it in ``AppConfig.ready()``. The span lasts until the view asks for the next message, is
    named by the socket's route, and has what the view raises.
    """
    observers.at_handshake.append(_note_handshake)
    observers.factories.insert(0, _spans)  # around what receivers of the signal do
    got_request_exception.connect(_record)


class _Spans:
    __slots__ = ("_greenlet", "_links", "_route", "_span", "_token")

    def __init__(self, route: str, links: list[trace.Link]) -> None:
        self._route = route
        self._links = links
        self._span: trace.Span | None = None
        self._token: Token[Any] | None = None
        #: The one that has taken the message: the view may have spawned it.
        self._greenlet: Any = None

    def taken(self, message: str | bytes) -> None:
        self._span = _tracer.start_span(
            f"MESSAGE {self._route}",
            kind=trace.SpanKind.CONSUMER,
            links=self._links,
            attributes={"http.route": self._route, "websocket.message.size": len(message)},
        )
        self._token = context.attach(trace.set_span_in_context(self._span))
        self._greenlet = getcurrent()

    def done(self) -> None:
        if self._span is None or self._token is None:
            return
        if self._greenlet is getcurrent():
            context.detach(self._token)
        self._span.end()
        self._span = self._token = self._greenlet = None


def _note_handshake(request: WebSocketRequest) -> None:
    request.META[_HANDSHAKE] = trace.get_current_span().get_span_context()


def _spans(request: WebSocketRequest, socket: Socket) -> _Spans:
    handshake = request.META.get(_HANDSHAKE)
    links = [trace.Link(handshake)] if handshake is not None and handshake.is_valid else []
    return _Spans(request.META[ROUTE], links)


def _record(request: Any, **kwargs: Any) -> None:
    """What a view raises after the handshake, whose own span has ended by then."""
    socket, span = getattr(request, "websocket", None), trace.get_current_span()
    if socket is None or not socket.accepted or not span.is_recording():
        return
    if (error := sys.exception()) is not None:
        span.record_exception(error)
        span.set_status(trace.StatusCode.ERROR)
