"""A socket that waits holds no database connection."""

from __future__ import annotations

from django.db import connections

__all__ = ["release_connections"]


def release_connections() -> None:
    """Close this greenlet's database connections, or hand them back to their pool.

    A connection inside ``atomic()`` stays, as closing it would roll the block back.
    """
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.in_atomic_block:
            connection.close()
