"""Queries and what ends them: ``test_postgresql.py`` runs it by ``python -m gevent.monkey``."""

import json
import sys
from contextlib import closing

import gevent
import psycopg
from psycopg import waiting
from psycopg_pool import ConnectionPool, PoolTimeout

from django_websocket.patches.postgresql import wait, wait_in_gevent

URL = sys.argv[1].replace("postgres://test@/", "postgresql://test@/")
LONG = "SELECT pg_sleep(60)"


def connect():
    return closing(psycopg.connect(URL, autocommit=True))


def error_of(connection, meanwhile=lambda: None, statement=LONG):
    """The name of the error that ends ``statement``; ``meanwhile()`` runs in another greenlet."""
    other = gevent.spawn_later(0.05, meanwhile)
    try:
        with gevent.Timeout(10):
            connection.execute(statement)
    except psycopg.Error as error:
        return type(error).__name__
    finally:
        other.join()


def installed():
    wait_in_gevent()
    return waiting.wait is wait


def a_result():
    with connect() as connection:
        return [row[0] for row in connection.execute("SELECT generate_series(1, 3)")]


def much_both_ways():
    with connect() as connection:
        (text,) = connection.execute("SELECT %s", ["x" * 20_000_000]).fetchone()
        return len(text)


def others_run():
    turns = 0
    with connect() as connection:
        query = gevent.spawn(connection.execute, "SELECT pg_sleep(0.3)")
        while not query.ready():
            gevent.sleep(0.001)
            turns += 1
    return turns > 10


def a_greenlet_with_a_timeout():
    with connect() as connection:
        try:
            with gevent.Timeout(0.1):
                connection.execute(LONG)
        except gevent.Timeout as timeout:
            return type(timeout).__name__


def a_greenlet_that_is_killed():
    with connect() as connection:
        query = gevent.spawn(connection.execute, LONG)
        gevent.sleep(0.05)
        query.kill(timeout=5)
        return query.dead


def the_query_is_cancelled():
    with connect() as connection:
        return error_of(connection, connection.cancel)


def the_server_has_a_timeout():
    with connect() as connection:
        connection.execute("SET statement_timeout TO 50")
        return error_of(connection)


def the_server_hangs_up():
    def terminate():
        with connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])

    with connect() as connection:
        return error_of(connection, terminate)


def another_greenlet_closes():
    with connect() as connection:
        return error_of(connection, connection.close)


def an_empty_pool():
    with ConnectionPool(URL, min_size=1, max_size=1, open=True) as pool, pool.connection():
        try:
            pool.getconn(timeout=0.1)
        except PoolTimeout as error:
            return type(error).__name__


def notifications():
    with connect() as listener, connect() as other:
        listener.execute("LISTEN channel")
        gevent.spawn_later(0.05, other.execute, "NOTIFY channel, 'first'")
        found = [each.payload for each in listener.notifies(timeout=10, stop_after=1)]
        assert not list(listener.notifies(timeout=0.05))
        return found


def afterwards():
    with connect() as connection:
        return connection.execute("SELECT 1").fetchone()[0]


FUNCTIONS = [installed, a_result, much_both_ways, others_run, a_greenlet_with_a_timeout,
             a_greenlet_that_is_killed, the_query_is_cancelled, the_server_has_a_timeout,
             the_server_hangs_up, another_greenlet_closes, an_empty_pool, notifications,
             afterwards]  # fmt: skip

print(json.dumps({function.__name__: function() for function in FUNCTIONS}))
