"""A waiting socket holds no database connection, only Django's connection object.

Django's ``connection`` belongs to the greenlet, and outlives the connection to the database.
Attributes that middleware sets on it, such as a tenant, stay. The session at the server does not:
to set something there, do it for each new connection, in a receiver of ``connection_created``.
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

from .metrics import counters
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
#: The attributes of other greenlets, with the connections and cache clients they have opened.
_OPENED = "django_websocket_opened"
_CLIENTS = "django_websocket_cache_clients"

logger = logging.getLogger("django_websocket")

#: What connecting and querying set on Django's object; meaningless once it is closed.
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

    If it has opened nothing since the last wait, nothing is done.
    """
    setattr(getcurrent(), _ATTRIBUTE, socket)


def current_socket() -> WebSocket | StockWebSocket | None:
    """The socket whose view this greenlet runs, if any."""
    socket: WebSocket | StockWebSocket | None = getattr(getcurrent(), _ATTRIBUTE, None)
    return socket


def release_connections() -> None:
    """Close this greenlet's database connections, or return them to their pool.

    Cache clients of this greenlet alone are closed, too. A connection inside ``atomic()`` stays
    open, as closing it would roll back the block.
    """
    release_caches()
    kept = False
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            kept = True
        elif connection.connection is not None:
            connection.close()
            counters.database_releases += 1
    socket = current_socket()
    if socket is not None and not kept:
        socket._before_wait = None


def forget_unchanged_connections() -> None:
    """Drop Django's unchanged connection objects: each takes 4 kB of memory."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is None and _is_unchanged(connection):
            del connections[connection.alias]


def _is_unchanged(connection: BaseDatabaseWrapper) -> bool:
    fresh = connections.create_connection(connection.alias)
    return _are_alike(connection, fresh, connection)


def _are_alike(ours: Any, fresh: Any, connection: BaseDatabaseWrapper) -> bool:
    """Whether a new object can replace ours, which is ``connection`` or a part of it."""
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
    """Release what this greenlet has opened when its socket next waits, or at its end."""
    greenlet = getcurrent()
    socket = current_socket()
    if socket is not None:
        socket._before_wait = release_connections
    elif isinstance(greenlet, Greenlet) or isinstance(greenlet.parent, Hub):
        _close_at_the_end(greenlet, connection)


def remember_cache_client(client: BaseCache) -> None:
    """The same for a cache client of this greenlet alone."""
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
    """Close what a greenlet that a view has spawned leaves open: nobody else does."""
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
    """Let nothing that one socket or page has set in its database session reach another.

    Django's pool passes connections on as they are. From now on each connection returned to a
    PostgreSQL pool is reset first, by the pool's own workers: nobody waits for it. A connection
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
    """The pool's reset of a returned psycopg connection; ``then`` is the project's own.

    The SQL that has run does not show whether it is necessary: a function or a trigger at the
    server may change the session, too.
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
    """Leave no connection behind that is only half set up.

    Django keeps a connection whose server has answered once and then went away, or refused the
    role, and sends no signal. A page closes it at its end; a socket would use it for ever.
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
