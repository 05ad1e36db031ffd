"""A socket that waits holds no database connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections
from django.db.backends.signals import connection_created
from gevent import getcurrent

from .caches import release_caches

if TYPE_CHECKING:
    from .connection import WebSocket
    from .stock import StockWebSocket

__all__ = ["current_socket", "release_connections", "release_when_waiting"]

#: The attribute of a view's greenlet that names its socket.
_ATTRIBUTE = "django_websocket"


def release_when_waiting(socket: WebSocket | StockWebSocket) -> None:
    """Release what this greenlet opens from now on whenever ``socket`` waits.

    A socket that has opened nothing since it last waited is not kept waiting for a look.
    """
    setattr(getcurrent(), _ATTRIBUTE, socket)


def current_socket() -> WebSocket | StockWebSocket | None:
    """The socket whose view this greenlet runs, if it does."""
    socket: WebSocket | StockWebSocket | None = getattr(getcurrent(), _ATTRIBUTE, None)
    return socket


def release_connections() -> None:
    """Close this greenlet's database connections, or hand them back to their pool.

    The same with cache clients that it has to itself.

    A connection inside ``atomic()`` stays, as closing it would roll the block back.
    """
    release_caches()
    kept = False
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            kept = True
        elif connection.connection is not None:
            connection.close()
    socket = current_socket()
    if socket is not None and not kept:
        socket.before_wait = None


def remember(**kwargs: Any) -> None:
    """Release what this greenlet has opened when its socket waits the next time."""
    socket = current_socket()
    if socket is not None:
        socket.before_wait = release_connections


connection_created.connect(remember)
