"""What gevent's recv and sendall can do without any framing: python gevent_bare.py PORT

The handshake and the first message go through the websockets library. From then on the bytes are
only counted: all messages of a connection are alike, so each gets the reply to the first one.
"""

import socket
import sys
from typing import Any

from gevent import monkey

monkey.patch_all()

from gevent.server import StreamServer  # noqa: E402
from websockets.server import ServerProtocol  # noqa: E402


def handle(connection: socket.socket, address: object) -> None:
    protocol = ServerProtocol()
    if (handshake := _next_event(protocol, connection)) is None:
        return
    protocol.send_response(protocol.accept(handshake[0]))
    connection.sendall(b"".join(protocol.data_to_send()))
    if (first := _next_event(protocol, connection)) is None:
        return
    message, size = first
    protocol.send_text(bytes(message.data))
    _echo(connection, size, b"".join(protocol.data_to_send()))


def _next_event(protocol: ServerProtocol, connection: socket.socket) -> tuple[Any, int] | None:
    """The next event and how many bytes it took; None when the client has left."""
    size = 0
    while data := connection.recv(65536):
        size += len(data)
        protocol.receive_data(data)
        if events := protocol.events_received():
            return events[0], size
    return None


def _echo(connection: socket.socket, size: int, reply: bytes) -> None:
    pending = size
    while True:
        while pending >= size:
            connection.sendall(reply)
            pending -= size
        if not (data := connection.recv(65536)):
            return
        pending += len(data)


if __name__ == "__main__":
    StreamServer(("127.0.0.1", int(sys.argv[1])), handle, backlog=4096).serve_forever()
