"""The proxy contract, rows 36 and 37: a reload and a log rotation under open sockets."""

import signal

from support.raw_http import HANDSHAKE, Connection, client_frame, compose
from support.stack import wait_for


def open_socket(connection: Connection) -> None:
    connection.send(compose("/probe/", HANDSHAKE))
    assert connection.response().status == 101
    connection.frame()


def echoes(connection: Connection, text: bytes) -> bool:
    connection.send(client_frame(text))
    return connection.frame() == text


def reload_and_wait(front) -> None:
    """Until new worker processes run beside the old ones, or instead of them."""
    before = set(front.workers())
    front.signal(signal.SIGHUP)
    wait_for(lambda: set(front.workers()) - before)


def test_a_socket_survives_a_reload(nginx):
    front = nginx()
    with Connection(front.port) as connection:
        open_socket(connection)
        reload_and_wait(front)
        assert echoes(connection, b"still here")


def test_old_workers_are_gone_after_the_shutdown_timeout(nginx):
    front = nginx(changes={"worker_shutdown_timeout 1h": "worker_shutdown_timeout 1s"})
    old = set(front.workers())
    with Connection(front.port) as connection:
        open_socket(connection)
        reload_and_wait(front)
        wait_for(lambda: old.isdisjoint(front.workers()))
        assert connection.is_closed()


def test_a_socket_survives_a_log_rotation(nginx):
    front = nginx(changes={"access_log /dev/stdout": "access_log access.log"})
    log = front.prefix / "access.log"
    with Connection(front.port) as connection:
        open_socket(connection)
        log.rename(log.with_suffix(".1"))
        front.signal(signal.SIGUSR1)
        wait_for(log.exists)
        assert echoes(connection, b"still here")
