"""gunicorn ends TLS itself: ``--certfile`` and ``--keyfile``; what a greenlet keeps in memory."""

import contextlib
import os
import socket
import ssl
import struct
import sys
import time
from pathlib import Path

import pytest
from greenlet import getcurrent, greenlet

from django_websocket.server.server import call_on_top
from support.frames import CLOSE, TEXT, close_frame, frame
from support.raw_client import RawClient, handshake


@pytest.fixture(scope="module")
def server(serve_raw, certificate):
    arguments = ("--certfile", str(certificate), "--keyfile", str(certificate))
    with serve_raw(*arguments, "--log-level", "debug", HANDSHAKE_TIMEOUT=0.5) as server:
        yield server


@pytest.fixture
def client(server, certificate):
    context = ssl.create_default_context(cafile=certificate)
    with RawClient(server.address, tls=context) as client:
        yield client


def test_a_websocket_over_tls(client):
    client.open("/echo", behind=frame(TEXT, "in the packet of the handshake"))
    assert client.receive() == (TEXT, b"in the packet of the handshake")
    client.send(frame(TEXT, "x" * 300_000))
    assert client.receive() == (TEXT, b"x" * 300_000)
    client.send(close_frame(1000))
    assert client.receive_close() == (1000, "")
    assert client.read_rest() == b""


def test_the_application_knows_that_it_is_https(client):
    client.open("/inform")
    assert b'"wsgi.url_scheme":"https"' in client.receive()[1]
    assert client.receive()[0] == CLOSE


def test_a_refusal_over_tls(client):
    client.send(handshake("/refuse"))
    assert client.read_head()[0] == 403
    assert client.read_rest() == b"not you"


def test_slow_headers_are_cut_off(client):
    client.send(handshake("/echo")[:60])
    start = time.monotonic()
    assert client.read_head()[0] == 408
    assert 0.3 < time.monotonic() - start < 3


@pytest.mark.parametrize("sent", [handshake("/echo"), b"", b"\x16\x03\x01\x00"])
def test_who_does_not_get_through_the_tls_handshake_is_dropped(server, sent):
    with RawClient(server.address) as client:
        client.send(sent)
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1" not in client.read_rest()
        host, port = client.sock.getsockname()
    server.wait_for_log(f"Refused a connection from ('{host}', {port}): ")
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    "sent", [b"POST /echo HTTP/1.1\r\nHost: testserver\r\nContent-Length: -5\r\n\r\n", b"\xff\r\n"]
)
def test_who_leaves_before_the_answer_is_one_line_for_debugging(serve_raw, sent):
    at_once = struct.pack("ii", 1, 0)  # a reset, not an orderly end
    with serve_raw("--log-level", "debug") as server:
        while "disconnected before the response" not in server.log:
            with RawClient(server.address) as client:
                client.send(sent)
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        assert "Traceback" not in server.log


@pytest.mark.skipif(sys.gettrace() is not None, reason="what measures coverage takes memory, too")
def test_what_was_called_on_top_leaves_no_pages_behind():
    """A deep stack touches 16 KiB of a greenlet's first chunk, and one page of it is enough."""

    def deep(depth):
        return deep(depth - 1) if depth else None

    def kept(run):
        def body():
            run()
            getcurrent().parent.switch()

        greenlets = [greenlet(body) for _ in range(2000)]
        before = resident()
        for each in greenlets:
            each.switch()
        after = resident()
        for each in greenlets:
            each.switch()
        return (after - before) / len(greenlets)

    kept(lambda: call_on_top(lambda: deep(100)))  # what is allocated once
    assert kept(lambda: call_on_top(lambda: deep(100))) < 6_000
    assert kept(lambda: deep(100)) > 12_000


def resident():
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
