import re

import pytest

from django_websocket.rfc6455.frames import TEXT
from support.frames import close_frame, frame
from support.raw_client import RawClient, handshake
from support.server import wait_for

LOG_FORMAT = (
    "%(h)s %(r)s %(s)s agent=%({user-agent}i)s type=%({content-type}o)s seconds=%(L)s "
    "code=%({websocket.close_code}e)s messages=%({websocket.messages_received}e)s/"
    "%({websocket.messages_sent}e)s bytes=%({websocket.bytes_received}e)s/%(B)s."
)


@pytest.fixture(scope="module")
def server(serve_raw):
    with serve_raw("--access-logformat", LOG_FORMAT) as server:
        yield server


@pytest.fixture
def client(server):
    with RawClient(server.address) as client:
        yield client


def logged(server, path):
    return wait_for(
        lambda: re.search(rf"^.*GET {re.escape(path)} .*$", server.log, re.M),
        f"a line for {path} in\n{server.log}",
    )[0]


def test_a_socket_is_logged_when_it_ends(server, client):
    client.open("/echo?logged", "User-Agent: raw\r\nX-Forwarded-For: 203.0.113.9\r\n")
    for _ in range(3):
        client.send(frame(TEXT, "12345"))
        client.receive()
    assert "/echo?logged" not in server.log
    client.send(close_frame(4000))
    client.receive_close()
    client.close()
    line = logged(server, "/echo?logged")
    assert line.startswith("203.0.113.9 GET /echo?logged HTTP/1.1 101 agent=raw type=- seconds=0.")
    head = len(b"HTTP/1.1 101 Switching Protocols\r\n")
    match = re.search(r"code=4000 messages=3/3 bytes=(\d+)/(\d+)\.$", line)
    assert match, line
    assert int(match[1]) == 3 * 11 + 8
    assert int(match[2]) > head + 3 * 7 + 4


def test_a_connection_that_breaks_is_logged_with_1006(server, client):
    client.open("/echo?broken")
    client.close()
    assert "code=1006" in logged(server, "/echo?broken")


def test_a_refusal_is_logged_like_any_request(server, client):
    client.send(handshake("/refuse?logged"))
    client.read_head()
    line = logged(server, "/refuse?logged")
    assert line.startswith("127.0.0.1 GET /refuse?logged HTTP/1.1 403 ")
    assert "type=text/plain" in line
    assert "code=- " in line


def test_gunicorns_own_format_on_a_unix_socket(unix_server):
    with RawClient(unix_server.address) as client:
        client.open("/echo?unix")
        client.send(close_frame(1000))
        client.receive_close()
    line = logged(unix_server, "/echo?unix")
    assert line.startswith("- - - [")
    assert line.endswith('"GET /echo?unix HTTP/1.1" 101 133 "-" "-"')


def test_nonsense_is_logged_and_answered(server, client):
    client.send(b"\x16\x03\x01\r\n\r\n")
    assert client.read_head()[0] == 400
    server.wait_for_log("- - - 400")
