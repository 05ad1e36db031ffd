import ssl

import gevent
import pytest
from gevent import socket
from gevent import ssl as gevent_ssl

from django_websocket.connection.transport import nonblocking
from django_websocket.connection.websocket import WebSocket
from django_websocket.options import Options
from django_websocket.rfc6455.frames import encode_frame
from django_websocket.rfc6455.handshake import parse
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
    theirs = client.wrap_socket(other, server_hostname="testserver", suppress_ragged_eofs=False)
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
        websocket._release()


@pytest.fixture
def reader_that_is_slow(encrypted_pair):
    """A WebSocket whose transport has just refused bytes, and its client's end."""
    ours, theirs = encrypted_pair
    options = Options(send_buffer_size=300_000, ping_interval=None)
    websocket, client = WebSocket(ours, ENVIRON, parse(ENVIRON), options), Client(theirs)
    websocket.accept()
    client.read_head()
    yield websocket, client
    websocket._release()


def numbered(number, size):
    return encode_frame(BINARY, number.to_bytes(4, "big") * (size // 4))


def number_of(message):
    """Raises unless the message is one that was sent."""
    assert len(set(zip(*[iter(message)] * 4, strict=True))) == 1, "a message that nobody sent"
    return int.from_bytes(message[:4], "big")


@pytest.mark.parametrize("size", [400, 4_000, 40_000])
@pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
def test_what_tls_has_begun_is_neither_dropped_nor_replaced(reader_that_is_slow, policy, size):
    websocket, client = reader_that_is_slow
    received, count = [], 20_000_000 // size

    def read():
        while not received or received[-1] != count:
            received.append(number_of(client.receive()[1]))

    for number in range(count // 2):
        websocket._deliver(numbered(number, size), policy)
    reader = gevent.spawn(read)
    for number in range(count // 2, count + 1):
        websocket._deliver(numbered(number, size), policy)
        if number % 100 == 0:
            gevent.sleep(0)
    reader.get(timeout=PATIENCE)
    assert received == sorted(received)
    assert len(received) < count, "nothing was dropped, so this has shown nothing"


def test_a_slow_client_over_tls_gets_its_close_frame(reader_that_is_slow):
    websocket, client = reader_that_is_slow
    number = 0
    while websocket._deliver(numbered(number, 4_000), "disconnect"):
        number += 1
    received = []
    while (frame := client.receive())[0] != CLOSE:
        received.append(number_of(frame[1]))
    assert received == list(range(len(received)))
    assert frame[1][:2] == (1013).to_bytes(2, "big")


@pytest.mark.parametrize("congested", [False, True])
def test_the_end_is_said_in_tls_too(encrypted_pair, congested):
    ours, theirs = encrypted_pair
    websocket, client = WebSocket(ours, ENVIRON, parse(ENVIRON), Options()), Client(theirs)
    try:
        websocket.accept()
        client.read_head()
        if congested:
            while websocket._stream.buffer is None:
                websocket._deliver(numbered(0, 4_000))
        client.send(close_frame(1000))
        while client.receive()[0] != CLOSE:
            pass
        # Without close_notify this would be an EOF in violation of the protocol, which raises.
        assert theirs.recv(1) == b""
    finally:
        websocket._release()
