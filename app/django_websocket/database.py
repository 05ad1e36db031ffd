"""A socket that waits holds no database connection, and what it takes along is Django's object.

``connection`` in Django is an object of the greenlet's that outlives what it connects to. What
middleware sets on it, such as a tenant, stays. The session at the server does not: code that needs
something there sets it each time a connection is taken, in a receiver of ``connection_created``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, finalize

from django.core.cache import BaseCache
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils.functional import cached_property as django_cached_property
from gevent import Greenlet, getcurrent, spawn
from gevent.hub import Hub

from .patches.caches import release_caches

if TYPE_CHECKING:
    from .compat.stock import StockWebSocket
    from .connection.websocket import WebSocket

__all__ = [
    "current_socket",
    "forget_unchanged_connections",
    "release_connections",
    "release_when_waiting",
    "remember_cache_client",
    "reset_pooled_connections",
]

#: The attribute of a view's greenlet that names its socket.
_ATTRIBUTE = "django_websocket"
#: And of another greenlet, those with the connections and the cache clients that it has opened.
_OPENED = "django_websocket_opened"
_CLIENTS = "django_websocket_cache_clients"

logger = logging.getLogger("django_websocket")

#: What connecting and asking leave on Django's object, which means nothing once it is closed.
_TRACES = frozenset(
    (
        "_cache",
        "_named_cursor_idx",
        "_thread_ident",
        "_thread_sharing_lock",
        "autocommit",
        "close_at",
        "errors_occurred",
        "health_check_done",
        "init_commands",
        "isolation_level",
        "transaction_mode",
    )
)


def release_when_waiting(socket: WebSocket | StockWebSocket | None) -> None:
    """Release what this greenlet opens from now on whenever ``socket`` waits; None: at its end.

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
        socket._before_wait = None


def forget_unchanged_connections() -> None:
    """Let go of Django's objects that are as Django makes them: each takes 4 kB of memory."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is None and _is_unchanged(connection):
            del connections[connection.alias]


def _is_unchanged(connection: BaseDatabaseWrapper) -> bool:
    fresh = connections.create_connection(connection.alias)
    return _are_alike(connection, fresh, connection)


def _are_alike(ours: Any, fresh: Any, connection: BaseDatabaseWrapper) -> bool:
    """Whether a fresh object can stand for ours, which is ``connection`` or a part of it."""
    if type(ours) is not type(fresh):
        return False
    for name, value in vars(ours).items():
        if name in _TRACES or value is connection or _is_computed(ours, name):
            continue
        if name not in vars(fresh):
            return False
        other = vars(fresh)[name]
        is_part = getattr(value, "connection", None) is connection
        if not (_are_alike(value, other, connection) if is_part else value == other):
            return False
    return True


def _is_computed(owner: Any, name: str) -> bool:
    return isinstance(getattr(type(owner), name, None), cached_property | django_cached_property)


def remember(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Release what this greenlet has opened when its socket waits the next time, or at its end."""
    greenlet = getcurrent()
    socket = current_socket()
    if socket is not None:
        socket._before_wait = release_connections
    elif isinstance(greenlet, Greenlet) or isinstance(greenlet.parent, Hub):
        _close_at_the_end(greenlet, connection)


def remember_cache_client(client: BaseCache) -> None:
    """The same with a client of a cache that this greenlet has to itself."""
    greenlet = getcurrent()
    socket = current_socket()
    if socket is not None:
        socket._before_wait = release_connections
    elif isinstance(greenlet, Greenlet):
        clients = vars(greenlet).get(_CLIENTS)
        if clients is None:
            clients = vars(greenlet)[_CLIENTS] = WeakSet()
            greenlet.rawlink(lambda _: spawn(_close_clients, list(clients)))
        clients.add(client)


def _close_clients(clients: list[BaseCache]) -> None:
    for client in clients:
        try:
            client.close()
        except Exception:
            logger.exception("Could not close %r, which a greenlet has left open", client)


def _close_at_the_end(greenlet: Any, connection: BaseDatabaseWrapper) -> None:
    """Nobody else closes what a greenlet that a view has spawned leaves open."""
    opened = vars(greenlet).get(_OPENED)
    if opened is None:
        opened = vars(greenlet)[_OPENED] = []
        # Called in the hub, which must not wait.
        at_the_end = partial(spawn, _close_all, opened)
        if isinstance(greenlet, Greenlet):
            greenlet.rawlink(lambda _: at_the_end())
        else:
            finalize(greenlet, at_the_end)
    if connection not in opened:
        opened.append(connection)


def _close_all(opened: list[BaseDatabaseWrapper]) -> None:
    for connection in opened:
        connection.inc_thread_sharing()  # it is another greenlet's
        try:
            connection.close()
        except Exception:
            logger.exception(
                "Could not close the connection to %s that a greenlet has left open",
                connection.alias,
            )


def reset_pooled_connections() -> None:
    """Let nothing that one socket or page has left in its session at the server reach another.

    Django's pool hands a connection on as it is. From here on each that comes back to a pool of
    PostgreSQL's is reset first, by the pool's own workers: nobody waits for it. A connection
    without a pool is closed, and its session with it.
    """
    for alias in connections:
        wrapper = connections[alias]
        options = wrapper.settings_dict["OPTIONS"]
        pool = options.get("pool")
        if wrapper.vendor != "postgresql" or not pool:
            continue
        pool = {} if pool is True else pool
        options["pool"] = pool | {"reset": partial(_reset, alias, pool.get("reset"))}
        wrapper.close_pool()  # type: ignore[attr-defined] # one without, from when Django was set up


def _reset(alias: str, then: Callable[[Any], None] | None, session: Any) -> None:
    """What the pool does with a psycopg connection that comes back; ``then`` is the project's own.

    No look at the SQL that has run could tell whether it is necessary: a function or a trigger at
    the server may change the session, too.
    """
    session.autocommit = True
    session.isolation_level = session.read_only = session.deferrable = None
    session.execute("DISCARD ALL")
    # The time zone and the role, as Django sets them on each new connection of a pool. This has no
    # public name.
    connections.create_connection(alias)._configure_connection(session)  # type: ignore[attr-defined]
    if then is not None:
        then(session)


def _connect_or_close(connection: BaseDatabaseWrapper) -> None:
    """Leave nothing behind that has only half connected.

    Django keeps the session of a server that went away, or refused the role, when it had answered
    once, and announces no connection. A page closes it at its end; a socket would ask it for ever.
    """
    try:
        _connect(connection)
    except BaseException:  # its time may be up, too
        with suppress(DatabaseError):
            connection.close()
        raise


_connect = BaseDatabaseWrapper.connect
BaseDatabaseWrapper.connect = _connect_or_close  # type: ignore[assignment]
connection_created.connect(remember)
