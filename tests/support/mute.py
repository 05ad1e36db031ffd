"""Servers that take a connection and do not answer, each in its way."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from .server import wait_for

#: What a Redis answers to each command with which redis-py begins a connection.
_GREETING = 2


def silent(connection: socket.socket) -> None:
    """Takes everything and says nothing, as a TLS handshake or a Redis."""
    while connection.recv(65536):
        pass


def half(connection: socket.socket) -> None:
    """Begins an answer."""
    _greet(connection)
    connection.sendall(b"$20\r\n176722")
    silent(connection)


def trickling(connection: socket.socket) -> None:
    """Begins an answer and sends more and more of it, but not its end."""
    _greet(connection)
    connection.sendall(b"$100000\r\n")
    while True:
        connection.sendall(b"1")
        time.sleep(0.05)


def slow(connection: socket.socket) -> None:
    """Answers that it does not know the script, as late as one may, and then no more."""
    _greet(connection)
    time.sleep(1.5)
    connection.sendall(b"-NOSCRIPT No matching script.\r\n")
    silent(connection)


def _greet(connection: socket.socket) -> None:
    for _ in range(_GREETING):
        connection.recv(65536)
        connection.sendall(b"+OK\r\n")
    connection.recv(65536)


@contextlib.contextmanager
def mute(behaviour: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address, host:port, of a server that treats every connection so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []

        def treat(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                behaviour(connection)

        def accept() -> None:
            while True:
                try:
                    connections.append(listener.accept()[0])
                except OSError:
                    return
                threading.Thread(target=treat, args=connections[-1:], daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield "{}:{}".format(*listener.getsockname())
        finally:
            for ending in (listener, *connections):
                with contextlib.suppress(OSError):
                    ending.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


@contextlib.contextmanager
def swallowed() -> Iterator[str]:
    """The address of a port that does not even take connections: those that wait are too many."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))

        def waits() -> bool:
            client = stack.enter_context(socket.socket())
            client.settimeout(0.2)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                return True
            return False

        wait_for(waits, "the port to be full")
        yield "{}:{}".format(*listener.getsockname())
