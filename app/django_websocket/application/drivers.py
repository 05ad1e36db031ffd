"""Database drivers that wait in C, where gevent cannot run other sockets."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

__all__ = ["blocking_drivers", "driver_of"]

#: What to do about a driver, by the name of its module.
_REMEDIES = {
    "psycopg2": 'install psycopg 3, as "psycopg[binary,pool]", which Django then uses by itself',
    "MySQLdb": "use PyMySQL: pymysql.install_as_MySQLdb() at the top of the settings",
    "cx_Oracle": "use oracledb in its thin mode",
    "pyodbc": "keep its queries out of sockets' views, or run them in gevent's threadpool",
    "ibm_db_dbi": "keep its queries out of sockets' views, or run them in gevent's threadpool",
}


def blocking_drivers(*, patched: bool) -> Iterator[tuple[str, str, str]]:
    """Triples (alias of the database, driver, remedy).

    ``patched``: whether this process has already patched its drivers, as a worker has after it has
    loaded its application. If not, an installed psycogreen is trusted to do it.
    """
    for alias in connections:
        try:
            connection = connections[alias]
        except (ImportError, ImproperlyConfigured):
            continue  # Django reports it when it is used
        driver = driver_of(connection)
        if driver in _REMEDIES and not (driver == "psycopg2" and _waits(patched=patched)):
            yield alias, driver, _REMEDIES[driver]


def driver_of(connection: Any) -> str:
    """The name of the module that Django reaches this database by, or ``""``."""
    return str(getattr(getattr(connection, "Database", None), "__name__", ""))


def _waits(*, patched: bool) -> bool:
    """Whether psycopg2 cooperates with gevent."""
    if patched:
        return import_module("psycopg2.extensions").get_wait_callback() is not None
    try:
        import_module("psycogreen")
    except ImportError:
        return False
    return True
