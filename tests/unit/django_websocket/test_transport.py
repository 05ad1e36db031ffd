import ssl

import gevent
import pytest
from gevent import socket
from gevent import ssl as gevent_ssl

from django_websocket.connection import WebSocket
from django_websocket.handshake import parse
from django_websocket.options import Options
from django_websocket.transport import nonblocking
from support.frames import BINARY, CLOSE, close_frame, frame
from support.pair import ENVIRON, Client
from support.server import PATIENCE


def test_a_plain_socket_never_blocks():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = nonblocking(ours)
        with pytest.raises(BlockingIOError):
            transport.recv(10)
        theirs.send(b"x")
        assert transport.recv(10) == b"x"
        assert transport.sendmsg((b"head", b"body")) == 8
        assert theirs.recv(10) == b"headbody"
        with pytest.raises(BlockingIOError):
            any(not transport.send(b"x" * 100_000) for _ in range(1000))


@pytest.fixture
def encrypted_pair(certificate):
    server = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificate)
    plain, other = socket.socketpair()
    wrapping = gevent.spawn(server.wrap_socket, plain, server_side=True)
    theirs = client.wrap_socket(other, server_hostname="testserver")
    ours = wrapping.get(timeout=PATIENCE)
    with ours, theirs:
        yield ours, theirs


def test_a_websocket_over_tls(encrypted_pair):
    ours, theirs = encrypted_pair
    websocket, client = WebSocket(ours, ENVIRON, parse(ENVIRON), Options()), Client(theirs)
    try:
        websocket.accept()
        client.read_head()
        payload = b"x" * 500_000
        sender = gevent.spawn(client.send, frame(BINARY, payload))
        assert websocket.receive(timeout=PATIENCE) == payload
        sender.get(timeout=PATIENCE)
        echo = gevent.spawn(websocket.send, payload)
        assert client.receive() == (BINARY, payload)
        echo.get(timeout=PATIENCE)
        client.send(close_frame(4000))
        assert websocket.receive(timeout=PATIENCE) is None
        assert client.receive() == (CLOSE, (4000).to_bytes(2, "big"))
    finally:
        websocket.release()
