"""The life of a socket, after its handshake."""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import Protocol

from django.http import HttpRequest, HttpResponseBase
from gevent import GreenletExit

from django_websocket.database import forget_unchanged_connections
from django_websocket.server.exits import ends_the_greenlet

from .requests import Socket, WebSocketRequest, accepts, answer_to, close_code

__all__ = ["Life"]

#: Attributes of a request that are no longer needed. Headers are computed again on access; the
#: messages framework would lose what is added after its middleware has stored the messages.
_FOR_THE_HANDSHAKE = ("headers", "_messages")


class Application(Protocol):
    """What the socket's life uses of the handler of its handshake."""

    def process_exception_by_middleware(
        self, exception: Exception, request: HttpRequest
    ) -> HttpResponseBase | None:
        """The response of a middleware to the view's exception."""

    def begin(self, socket: Socket, request: WebSocketRequest) -> None:
        """The view begins."""

    def end(self, socket: Socket, code: int, request: WebSocketRequest | None) -> None:
        """Close ``socket`` with ``code``, and release what its view has held."""


class Life:
    """The socket's life. Every open socket keeps one: it takes less memory than a closure.

    A response that does not accept the handshake closes the socket when it is complete.
    """

    __slots__ = (
        "_application",
        "_begun",
        "_code",
        "_context",
        "_request",
        "_run",
        "_socket",
        "status",
    )

    def __init__(
        self,
        application: Application,
        socket: Socket,
        request: WebSocketRequest,
        response: HttpResponseBase,
    ) -> None:
        self._application = application
        self._socket = socket
        self._request = request
        self._run = response.run if accepts(response) else None
        self._begun = False
        self._code = 1011 if self._run else close_code(response)
        #: Error trackers reset their context at the end of the handshake, and so would not know
        #: which request an exception belongs to.
        self._context: Context | None = copy_context()
        self.status = response.status_code

    def run(self) -> None:
        """Run the view, and close the socket with the code for how it ended.

        1000 if the view returns, 1011 for a bug, else the code for the response to its exception.
        """
        request, application = self._request, self._application
        self._restore_context()
        forget_unchanged_connections()
        for name in _FOR_THE_HANDSHAKE:
            vars(request).pop(name, None)
        try:
            if self._run is not None:
                self._begun = True
                application.begin(self._socket, request)
                self._run()
                self._code = 1000
        except BaseException as error:
            if ends_the_greenlet(error):
                self._code = 1000 if isinstance(error, GreenletExit) else 1011
                raise
            answer = None
            if isinstance(error, Exception):
                answer = application.process_exception_by_middleware(error, request)
            self._code = close_code(answer or answer_to(request, error))
        finally:
            self.end()

    def _restore_context(self) -> None:
        context, self._context = self._context, None
        for variable, value in (context or {}).items():
            if variable.get(None) is not value:
                variable.set(value)

    def end(self) -> None:
        """Close the socket, also instead of :meth:`run`."""
        self._application.end(self._socket, self._code, self._request if self._begun else None)
