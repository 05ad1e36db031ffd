import socket
import threading
import urllib.request

import gevent
import pytest
import websocket

from django_websocket.options import Options
from django_websocket.server.oneport import OnePort, by_upgrade
from support.server import CLIENT, PATIENCE


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the page of " + environ["PATH_INFO"].encode()]


def echo(environ, start_response):
    client = environ["wsgi.websocket"]
    for message in client:
        client.send(f"{environ['PATH_INFO']}: {message}")
    return []


@pytest.fixture
def served():
    """In a thread of this process, which nothing has patched: the address, what ends it."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = "{}:{}".format(*listener.getsockname())
    started, ended = threading.Event(), threading.Event()

    def run():
        port = OnePort(listener, by_upgrade(page, echo), Options())
        stopping = gevent.get_hub().loop.async_()
        event = gevent.event.Event()
        stopping.start(event.set)
        end.append(stopping.send)
        port.start()
        started.set()
        event.wait()
        port.stop(PATIENCE)
        stopping.close()
        gevent.get_hub().destroy()
        ended.set()

    end = []
    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(PATIENCE)
    yield address, end[0]
    end[0]()
    thread.join(PATIENCE)
    assert ended.is_set()


def test_a_page_and_a_socket_share_a_url(served):
    address, _ = served
    with urllib.request.urlopen(f"http://{address}/here", timeout=PATIENCE) as response:
        assert response.read() == b"the page of /here"
    client = websocket.create_connection(f"ws://{address}/here", **CLIENT)
    client.send("hello")
    assert client.recv() == "/here: hello"
    client.shutdown()


def test_another_upgrade_is_a_page(served):
    address, _ = served
    request = urllib.request.Request(f"http://{address}/", headers={"Upgrade": "h2c"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        assert response.status == 200


def test_stopping_closes_sockets_with_1012_and_frees_the_port(served):
    address, end = served
    client = websocket.create_connection(f"ws://{address}/", **CLIENT)
    client.send("hello")
    client.recv()
    end()
    opcode, payload = client.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(payload[:2]) == 1012
    client.shutdown()
    with pytest.raises(OSError, match="refused"):
        websocket.create_connection(f"ws://{address}/", **CLIENT)
