"""What ``WEBSOCKET_BROKER`` says about where PostgreSQL is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.db import connections
from psycopg import Error
from psycopg.conninfo import conninfo_to_dict

__all__ = ["APP", "Address"]

#: The app whose migration makes the tables.
APP = "django_websocket.pubsub.brokers.postgresql"

#: What Django's parameters say about its cursors, and not about a connection.
_OF_CURSORS = ("context", "cursor_factory", "prepare_threshold", "server_side_binding", "pool")

#: A connection whose other end has gone is noticed after some six seconds.
_KEEPALIVE = {"keepalives_idle": 2, "keepalives_interval": 2, "keepalives_count": 2}


class Address:
    """``postgresql://`` alone is the project's own database, ``DATABASES["default"]``.

    Raises ``ValueError`` for a URL that cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._own = url == "postgresql://"
        if self._own:
            _require_postgresql()
        else:
            self._named = _parsed(url)

    def parameters(self) -> dict[str, Any]:
        """What ``psycopg.connect()`` takes, now: a test run gives the database another name."""
        if self._own:
            found = dict(connections["default"].get_connection_params())
            for name in _OF_CURSORS:
                found.pop(name, None)
        else:
            found = dict(self._named)
        return {**_KEEPALIVE, **found, "connect_timeout": 2}

    def __str__(self) -> str:
        """For people: it has no password."""
        if self._own:
            return 'the database of DATABASES["default"]'
        return f"the PostgreSQL at {self._named.get('host', 'localhost')}"


def _require_postgresql() -> None:
    vendor = connections["default"].vendor
    if vendor != "postgresql":
        raise ValueError(
            f'postgresql:// is the database of DATABASES["default"], which is {vendor}: name a '
            "PostgreSQL there, or in full, such as postgresql://user:password@host:5432/name"
        )


def _parsed(url: str) -> dict[str, Any]:
    try:
        found = conninfo_to_dict(url)
    except Error as error:
        raise ValueError(
            "expected a URL such as postgresql://user:password@host:5432/name, found one that "
            f"PostgreSQL does not understand: {error}"
        ) from None
    if not found.get("dbname"):
        raise ValueError(
            "expected a database's name in a URL such as postgresql://user:password@host:5432/name "
            f"(or postgresql:// alone for the project's own), found {urlsplit(url).path!r}"
        )
    return dict(found)
