import contextlib
import json
import time

import psutil
import pytest

from django_websocket.rfc6455.frames import TEXT
from support.frames import CLOSE, close_frame, frame
from support.raw_client import RawClient, handshake


@pytest.fixture(scope="module")
def server(serve_raw):
    with serve_raw(HANDSHAKE_TIMEOUT=0.5) as server:
        yield server


@pytest.fixture
def client(server):
    with RawClient(server.address) as client:
        yield client


# The decision


def test_a_refusal_is_the_applications_own_response(client):
    client.send(handshake("/refuse") + frame(TEXT, "too early"))
    status, headers = client.read_head()
    assert (status, headers["connection"]) == (403, "close")
    assert client.read_rest() == b"not you"


def test_nothing_is_sent_before_the_application_accepts(client):
    client.send(handshake("/broken"))
    assert client.read_head()[0] == 500
    assert b"broken" not in client.read_rest()


def test_an_application_that_does_not_decide(server, client):
    client.send(handshake("/silent"))
    assert client.read_head()[0] == 500
    server.wait_for_log("neither accepted the WebSocket nor sent a response")


def test_an_application_that_accepts_too_late(server, client):
    client.send(handshake("/late"))
    assert client.read_head()[0] == 200
    client.read_rest()
    server.wait_for_log("it is too late to accept the WebSocket")


def test_a_naked_101(server, client):
    client.send(handshake("/naked"))
    assert client.read_head()[0] == 500
    server.wait_for_log("status 101 without websocket.accept()")


def test_an_error_response_after_the_handshake_closes_with_1011(server, client):
    client.open("/changed")
    assert client.receive_close() == (1011, "")
    server.wait_for_log("LookupError: a middleware has lost something")


def test_an_error_after_the_handshake_closes_with_1011(server, client):
    client.open("/breaks")
    assert client.receive_close() == (1011, "")
    server.wait_for_log("RuntimeError: broken after the handshake")


def test_what_the_application_returns_after_accepting_is_ignored(client):
    client.open("/generator")
    assert client.receive() == (TEXT, b"from a generator")
    assert client.receive_close() == (1000, "")
    client.send(close_frame(1000))
    assert client.read_rest() == b""


def test_the_client_leaves_and_the_view_sends(server, client):
    client.open("/echo")
    client.send(frame(TEXT, "x") * 3)
    client.close()
    with RawClient(server.address) as other:
        assert other.open("/echo", behind=frame(TEXT, "y")).receive() == (TEXT, b"y")
    assert "ConnectionClosed" not in server.log


# Handshakes


@pytest.mark.parametrize(
    ("wrong", "right", "expected"),
    [
        ("Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: dGhl", 400),
        ("Connection: Upgrade", "Connection: keep-alive", 400),
        ("Host: testserver", "Host: a\r\nHost: b", 400),
        ("Host: testserver", "X: y", 400),
        ("Version: 13", "Version: 8", 426),
    ],
)
def test_a_malformed_handshake_never_reaches_the_application(client, wrong, right, expected):
    client.send(handshake("/no-such-view").replace(wrong.encode(), right.encode()))
    status, headers = client.read_head()
    assert status == expected
    assert "close" in headers["connection"]
    if expected == 426:
        assert headers["sec-websocket-version"] == "13"
        assert headers["upgrade"] == "websocket"
    assert client.read_rest().endswith(b".\n"), "a sentence that says what is wrong"


def test_frames_in_the_packet_of_the_handshake(client):
    frames = [frame(TEXT, str(number)) for number in range(20)]
    client.open("/echo", behind=b"".join(frames)[:-2])
    client.send(frames[-1][-2:])
    assert [client.receive()[1] for _ in range(20)] == [b"%d" % number for number in range(20)]


def test_more_frames_than_the_request_reader_buffers(client):
    messages = [str(number) * 100 for number in range(300)]
    client.open("/echo", behind=b"".join(frame(TEXT, message) for message in messages))
    assert [client.receive()[1].decode() for _ in range(300)] == messages


def test_a_handshake_and_a_frame_byte_by_byte(client):
    for byte in handshake("/echo"):
        client.send(bytes([byte]))
    assert client.read_head()[0] == 101
    for byte in frame(TEXT, "slowly"):
        client.send(bytes([byte]))
    assert client.receive() == (TEXT, b"slowly")


@pytest.mark.parametrize("sent", [b"", b"GET /echo HT", handshake("/echo")[:60]])
def test_slow_headers_are_cut_off(client, sent):
    client.send(sent)
    start = time.monotonic()
    answer = client.read_rest()
    assert 0.3 < time.monotonic() - start < 3
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("X: " + "y" * 9000 + "\r\n", 431),
        ("X: y\r\n" * 120, 431),
        ("X : y\r\n", 400),
        ("nonsense\r\n", 400),
    ],
)
def test_heads_that_are_too_large_or_malformed(client, more, status):
    client.send(handshake("/echo", more))
    assert client.read_head()[0] == status


def test_a_request_line_that_is_too_long(client):
    client.send(handshake("/" + "x" * 5000))
    assert client.read_head()[0] == 431


# Plain HTTP


def test_plain_http_is_answered_once(server, client):
    client.send(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
    status, headers = client.read_head()
    assert (status, headers["connection"]) == (200, "close")
    assert client.read_rest() == b"body"


def test_a_body_that_never_comes_does_not_hold_the_connection(client):
    client.send(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\nbody")
    assert client.read_head()[0] == 403
    start = time.monotonic()
    client.read_rest()
    assert time.monotonic() - start < 3


# Who the client is


def informed(client, more=""):
    return json.loads(client.open("/inform", more).receive()[1])


def test_the_client_behind_a_trusted_proxy(server, unix_server):
    forwarded = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"
    for address in (server.address, unix_server.address):
        with RawClient(address) as client:
            said = informed(client, forwarded)
        assert said["REMOTE_ADDR"] == "203.0.113.9"
        assert said["wsgi.url_scheme"] == "https"


def test_a_unix_socket_has_no_address(unix_server):
    with RawClient(unix_server.address) as client:
        said = informed(client, "X-Twice: a\r\nX_Twice: b\r\nX-Twice: c\r\n")
    assert said["REMOTE_ADDR"] == ""
    assert said["HTTP_X_TWICE"] == "a,c"


def test_an_untrusted_peer_is_itself(serve_raw):
    with (
        serve_raw("--forwarded-allow-ips", "10.9.8.7") as server,
        RawClient(server.address) as client,
    ):
        said = informed(client, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n")
    assert said["REMOTE_ADDR"] == "127.0.0.1"
    assert said["wsgi.url_scheme"] == "http"


# The classic face


def test_select_on_the_handlers_socket(client):
    client.open("/select", behind=frame(TEXT, "a") + frame(TEXT, "b"))
    assert [client.receive()[1] for _ in range(2)] == [b"a", b"b"]
    client.send(frame(0x9, "?"), frame(TEXT, "c", fin=False), frame(0x0, "d"))
    assert [client.receive() for _ in range(2)] == [(0xA, b"?"), (TEXT, b"cd")]
    client.send(close_frame(1000))
    assert client.receive_close() == (1000, "")


def test_the_servers_register_of_clients(server, unix_server):
    for address in (server.address, unix_server.address):
        with RawClient(address) as client:
            assert client.open("/register").receive()[1] == b"[1,true]"
            client.receive_close()
            client.send(close_frame(1000))
            client.read_rest()


def test_the_end_of_a_view_closes_even_when_the_client_does_not_answer(serve_raw):
    with serve_raw(CLOSE_TIMEOUT=0.2) as server, RawClient(server.address) as client:
        client.open("/register")
        client.receive()
        assert client.receive() == (CLOSE, (1000).to_bytes(2, "big"))
        start = time.monotonic()
        assert client.read_rest() == b""
        assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    "request_", [handshake("/computes"), b"GET /computes HTTP/1.1\r\nHost: localhost\r\n\r\n"]
)
def test_a_crowd_that_comes_at_once_waits_behind_the_open_sockets(server, client, request_):
    client.open("/echo")
    (worker,) = psutil.Process(server.pid).children()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(RawClient(server.address)) for _ in range(60)]
        for each in crowd:
            each.send(request_)
        slowest = 0.0
        for _ in range(20):
            before = sum(worker.cpu_times()[:2])
            client.send(frame(TEXT, "x"))
            assert client.receive() == (TEXT, b"x")
            slowest = max(slowest, sum(worker.cpu_times()[:2]) - before)
        assert slowest < 0.2, "of the 0.6 s that the crowd takes"
        for each in crowd:
            assert each.read_head()[0] == 200
