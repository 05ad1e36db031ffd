"""Pages and sockets on one port, in this process: for development and for tests.

The engine is the worker's: the same handler, scheduler and drain. In production a proxy splits the
two, so that a deployment of pages closes no sockets, and a busy page delays no socket.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.pool import Pool
from gunicorn.config import Config
from gunicorn.http.wsgi import base_environ
from gunicorn.workers.ggevent import VERSION

from django_websocket.options import Options
from django_websocket.rfc6455.handshake import is_handshake

from . import exits, health
from .drain import drain
from .handler import WebSocketHandler
from .server import Engine, WebSocketServer

__all__ = ["OnePort", "ServerLog", "by_upgrade"]

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: How many connections are served at once.
_LIMIT = 1000


def by_upgrade(pages: WSGIApplication, sockets: WSGIApplication) -> WSGIApplication:
    """The WSGI application that passes handshakes to ``sockets``, all else to ``pages``."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return (sockets if is_handshake(environ) else pages)(environ, start_response)

    return application


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """What the engine uses of gunicorn's logger. Requests are not logged."""

    access_log_enabled = False

    def access(self, response: Any, request: Any, environ: dict[str, Any], took: Any) -> None:
        """Called for each request when it has been answered, for a socket when it ends."""


class OnePort:
    """Serves ``application`` on ``listener``, a bound and listening socket, in greenlets.

    The standard library has to be patched if the application waits for anything but its sockets.
    """

    def __init__(
        self,
        listener: socket.socket,
        application: WSGIApplication,
        options: Options,
        log: ServerLog | None = None,
    ) -> None:
        cfg = Config()
        self._log = log or ServerLog(logging.getLogger("django_websocket"), {})
        limit = options.max_connections or _LIMIT
        self._engine = Engine(cfg, options, _NoProxies(), limit, lambda: None)
        self._server = WebSocketServer(
            _gevents(listener),
            application=application,
            spawn=Pool(limit),
            log=self._log,
            handler_class=WebSocketHandler,
            environ=base_environ(cfg) | {"wsgi.multithread": True, "SERVER_SOFTWARE": VERSION},
        )
        self._server.engine = self._engine

    def start(self) -> None:
        """Accept connections from now on."""
        exits.contain(gevent.get_hub())
        self._server.start()

    def stop(self, patience: float) -> None:
        """Close sockets with 1012 and end within ``patience`` seconds and a little more."""
        try:
            drain([self._server], self._engine, patience, self._log)
        finally:
            health.draining = False  # this process may go on, and serve again


class _NoProxies:
    """No proxy is before a development server: Django's settings decide about the headers."""

    def apply(self, environ: dict[str, Any]) -> None:
        environ.setdefault("REMOTE_ADDR", "")


def _gevents(listener: socket.socket) -> Any:
    """The listener as a gevent socket, which it may be already."""
    if isinstance(listener, gevent.socket.socket):
        return listener
    return gevent.socket.socket(listener.family, listener.type, fileno=listener.detach())
