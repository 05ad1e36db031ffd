"""What the threads of a test and of a view ask of one socket."""

import contextlib
import socket
import threading
from types import SimpleNamespace

import pytest
from gevent import socket as gevent_socket

from django_websocket.errors import ConnectionClosed
from django_websocket.options import Options
from django_websocket.rfc6455.frames import TEXT, encode_frame
from django_websocket.rfc6455.handshake import parse
from django_websocket.testing.engine import Engine
from django_websocket.testing.websocket import RemoteWebSocket
from support.frames import frame
from support.server import PATIENCE, wait_for

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "testserver",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "wsgi.url_scheme": "http",
}


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.stop()


@pytest.fixture
def pair(engine):
    """The socket, accepted, and the client's end of its connection."""
    ours, theirs = socket.socketpair()

    def make():
        sock = gevent_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=theirs.detach())
        websocket = RemoteWebSocket(
            engine, sock, dict(ENVIRON), parse(ENVIRON), Options(), handler=SimpleNamespace()
        )
        websocket.accept()
        return sock, websocket

    sock, websocket = engine.call(make)
    ours.settimeout(PATIENCE)
    with contextlib.closing(ours):
        while b"\r\n\r\n" not in ours.recv(4096):
            pass
        yield websocket, ours
        websocket._release()
        engine.call(sock.close)


def test_a_thread_waits_for_a_message_and_is_seen_to_wait(pair):
    websocket, client = pair
    found = []
    thread = threading.Thread(target=lambda: found.append(websocket.receive()))
    thread.start()
    wait_for(lambda: websocket.waits, "the thread's wait")
    client.sendall(frame(TEXT, "hello"))
    websocket.read_now()
    assert not websocket.waits
    thread.join(PATIENCE)
    assert found == ["hello"]


def test_a_broadcast_of_another_thread_never_waits(pair):
    websocket, client = pair
    assert websocket._deliver(encode_frame(TEXT, b"news"))
    assert client.recv(100) == encode_frame(TEXT, b"news")


def test_closing_ends_the_wait_of_another_thread(pair):
    websocket, _ = pair
    found = []
    thread = threading.Thread(target=lambda: found.append(websocket.receive()))
    thread.start()
    wait_for(lambda: websocket.waits, "the thread's wait")
    websocket.close(4401)
    thread.join(PATIENCE)
    assert found == [None]
    with pytest.raises(ConnectionClosed):
        websocket.send("late")


def test_the_view_s_own_thread_releases_its_connections(pair):
    websocket, _ = pair
    threads = []
    websocket._before_wait = lambda: threads.append(threading.get_ident())
    with pytest.raises(TimeoutError):
        websocket.receive(0.01)
    assert threads == [threading.get_ident()]
