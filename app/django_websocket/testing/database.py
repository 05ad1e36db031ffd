"""The database connections of a view under test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["Lent", "in_memory", "lend", "use"]

#: What Django's backends set on their objects after ``__init__``.
_LATER = frozenset(("_named_cursor_idx", "isolation_level", "pg_version"))

#: The test's connections, for another thread.
Lent = list[BaseDatabaseWrapper]


def in_memory(connection: Any) -> bool:
    """Whether its database is SQLite's, in the memory of this process."""
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


def lend() -> Lent:
    """The connections of this thread that a view has to share to see the test's data: they are in
    a transaction, as within ``TestCase``, or their database is in this process' memory.
    """
    found = []
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block or in_memory(connection):
            found.append(_copy(connection))
    return found


@contextmanager
def use(lent: Lent) -> Iterator[None]:
    """Let this thread use the lent connections; it opens and closes others itself."""
    for connection in lent:
        connection.inc_thread_sharing()
        connections[connection.alias] = connection
    try:
        yield
    finally:
        for connection in connections.all(initialized_only=True):
            if connection not in lent:
                connection.close()
            del connections[connection.alias]
        for connection in lent:
            connection.dec_thread_sharing()


def _copy(connection: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """An object with the same session at the server, and with attributes of its own.

    Attributes of Django's backends belong to the session, such as its transaction. Attributes of
    a project or its middleware, such as a tenant, belong to this object.
    """
    shared = _names_of_django(connection)
    parts = {name: _delegate(connection, name) for name in shared}
    copy: BaseDatabaseWrapper = object.__new__(type("Lent", (type(connection),), parts))
    vars(copy).update((n, value) for n, value in vars(connection).items() if n not in shared)
    return copy


def _names_of_django(connection: BaseDatabaseWrapper) -> frozenset[str]:
    django: type = next(
        base for base in type(connection).__mro__ if base.__module__.startswith("django.db.")
    )
    return _LATER.union(vars(django(connection.settings_dict, connection.alias)))


def _delegate(owner: Any, name: str) -> property:
    return property(
        lambda self: getattr(owner, name),
        lambda self, value: setattr(owner, name, value),
    )
