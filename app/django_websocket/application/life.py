"""What follows a handshake: the life of its socket."""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import Protocol

from django.http import HttpRequest, HttpResponseBase
from gevent import GreenletExit

from django_websocket.database import forget_unchanged_connections
from django_websocket.server.exits import ends_the_greenlet

from .requests import Socket, WebSocketRequest, accepts, answer_to, close_code

__all__ = ["Life"]

#: Attributes of a request that outlive their use. Headers are computed again when asked for; the
#: messages framework would lose what is added once its middleware has stored the rest.
_FOR_THE_HANDSHAKE = ("headers", "_messages")


class Application(Protocol):
    """What a life needs of the handler of its handshake."""

    def process_exception_by_middleware(
        self, exception: Exception, request: HttpRequest
    ) -> HttpResponseBase | None:
        """The answer of a middleware to what the view has raised."""

    def end(self, socket: Socket, code: int) -> None:
        """Close ``socket`` with ``code``, and give back what its view has held."""


class Life:
    """What follows the handshake. Every open socket keeps one: it takes less than a closure.

    A response that does not accept closes the socket instead, once it is complete.
    """

    __slots__ = ("_application", "_code", "_context", "_request", "_run", "_socket", "status")

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
        self._code = 1011 if self._run else close_code(response)
        #: Error trackers take back what they have set once the handshake is over, and with it what
        #: they would say of an exception: whose request it is.
        self._context: Context | None = copy_context()
        self.status = response.status_code

    def run(self) -> None:
        """Run the view, and close the socket with the code that its end asks for.

        1000 when the view returns, 1011 for a bug, else what the answer to its exception says.
        """
        request, application = self._request, self._application
        self._restore_context()
        forget_unchanged_connections()
        for name in _FOR_THE_HANDSHAKE:
            vars(request).pop(name, None)
        try:
            if self._run is not None:
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
        self._application.end(self._socket, self._code)
