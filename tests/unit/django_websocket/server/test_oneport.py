import logging
import socket
import threading
import urllib.request

import gevent
import pytest
import websocket

from django_websocket.options import Options
from django_websocket.server.oneport import OnePort, ServerLog, by_upgrade
from support.raw_http import Connection, ask, compose
from support.server import CLIENT, PATIENCE


def page(environ, start_response):
    if environ["PATH_INFO"] == "/streamed":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one ", b"two"])
    if environ["PATH_INFO"] == "/endless":
        start_response("206 Partial Content", [("Content-Type", "text/plain")])
        return iter(lambda: bytes(1 << 20), None)
    if environ["PATH_INFO"] in ("/204", "/304"):
        start_response(f"{environ['PATH_INFO'][1:]} Done", [("Content-Length", "4")])
        return [b"done"]
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"%d bytes" % len(body)]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the page of " + environ["PATH_INFO"].encode()]


def echo(environ, start_response):
    client = environ["wsgi.websocket"]
    for message in client:
        client.send(f"{environ['PATH_INFO']}: {message}")
    return []


class Log(ServerLog):
    access_log_enabled = True

    def __init__(self):
        super().__init__(logging.getLogger(__name__), {})
        self.answered = threading.Event()
        self.statuses = []
        self.errors = []

    def error(self, message, *args, **options):
        self.errors.append(message)

    def access(self, response, request, environ, took):
        self.statuses.append(response.status)
        self.answered.set()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def served(log):
    """In a thread of this process, which nothing has patched: the address, what ends it."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = "{}:{}".format(*listener.getsockname())
    started, ended = threading.Event(), threading.Event()

    def run():
        port = OnePort(listener, by_upgrade(page, echo), Options(), log)
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


@pytest.fixture
def port(served):
    return int(served[0].rpartition(":")[2])


@pytest.mark.parametrize("path", ["/here", "/streamed", "/endless"])
def test_a_response_to_head_has_no_body(port, path):
    with Connection(port) as connection:
        connection.send(compose(path, method="HEAD"))
        response = connection.response("HEAD")
        assert response.status in (200, 206)
        assert connection.is_closed()  # nothing followed the header fields


def test_a_response_to_head_has_the_length_of_the_body(port):
    response = ask(port, compose("/here", method="HEAD"))
    assert response.headers["Content-Length"] == str(len("the page of /here"))


@pytest.mark.parametrize("path", ["/204", "/304"])
def test_a_body_where_none_may_be_is_left_out(port, path):
    """As wsgiref and gunicorn do, with which the view seemed to work."""
    with Connection(port) as connection:
        connection.send(compose(path))
        response = connection.response()
        assert response.status == int(path[1:])
        assert connection.is_closed()


def test_an_aborted_download_is_logged_with_the_status_that_the_client_got(port, log):
    with Connection(port) as connection:
        connection.send(compose("/endless"))
        connection.read(1 << 16)
    assert log.answered.wait(PATIENCE)
    assert log.statuses == ["206 Partial Content"]


def test_a_body_that_waits_for_100_continue(port):
    with Connection(port) as connection:
        head = (("Content-Length", "5"), ("Expect", "100-continue"))
        connection.send(compose("/", head, method="POST"))
        assert connection.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(b"hello")
        assert connection.response().body == b"5 bytes"


def test_a_chunked_body(port):
    body = b"5\r\nhello\r\n6;a=b\r\n, Ada!\r\n0\r\nX-Sum: 1\r\n\r\n"
    request = compose("/", (("Transfer-Encoding", "chunked"),), method="POST", body=body)
    assert ask(port, request).body == b"11 bytes"


@pytest.mark.parametrize("other", ["h2c", "TLS/1.0", "websocket"])
def test_a_body_with_an_offer_of_another_protocol(port, log, other):
    """A handshake is a GET, so this is a page's request, whatever the client offers."""
    headers = (("Connection", "Upgrade"), ("Upgrade", other), ("Content-Length", "5"))
    with Connection(port) as connection:
        connection.send(compose("/", headers, method="POST", body=b"hello"))
        assert connection.response().body == b"5 bytes"
        assert log.answered.wait(PATIENCE)  # though the client's side is open: nothing else awaited
    assert not log.errors


def test_a_chunked_body_that_is_malformed(port):
    request = compose("/", (("Transfer-Encoding", "chunked"),), method="POST", body=b"zz\r\n")
    assert ask(port, request).status == 400


def test_a_body_that_ends_early_is_no_error_of_the_server(port, log):
    with Connection(port) as connection:
        connection.send(compose("/", (("Content-Length", "5"),), method="POST", body=b"hel"))
        connection.socket.shutdown(socket.SHUT_WR)
        connection.response()
    assert log.answered.wait(PATIENCE)
    assert log.statuses != ["200 OK"]


def test_a_second_request_in_the_same_packet(port):
    with Connection(port) as connection:
        connection.send(compose("/one") + compose("/two"))
        assert connection.response().body == b"the page of /one"
        assert connection.is_closed()
