"""The proxy contract, rows 32 to 34 and 44: what happens on a socket that goes through nginx."""

from collections.abc import Iterator

import psutil
import pytest

from support.raw_http import HANDSHAKE, Connection, client_frame, compose
from support.stack import needs_our_worker

BAD_VERSION = (*HANDSHAKE[:2], ("Sec-WebSocket-Version", "12"), HANDSHAKE[3])
BAD_KEY = (*HANDSHAKE[:3], ("Sec-WebSocket-Key", "too short"))
FOREIGN_ORIGIN = (*HANDSHAKE, ("Origin", "http://evil.example"))


@pytest.mark.parametrize("headers", [BAD_VERSION, BAD_KEY], ids=["version", "key"])
def test_a_refused_handshake_opens_no_tunnel(stack, headers):
    with Connection(stack.port) as connection:
        connection.send(compose("/probe/", headers))
        response = connection.response()
        assert response.status in (400, 426)
        assert response.headers["Connection"] == "close"
        assert not response.made_by_nginx
        assert connection.is_closed()


@needs_our_worker
@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [("/probe/", FOREIGN_ORIGIN, 403), ("/no/such/socket/", HANDSHAKE, 404)],
)
def test_what_django_refuses_is_refused_as_http(stack, target, headers, status):
    with Connection(stack.port) as connection:
        connection.send(compose(target, headers))
        response = connection.response()
        assert (response.status, response.headers["Connection"]) == (status, "close")
        assert connection.is_closed()


def test_frames_behind_the_handshake_in_one_packet_are_delivered(stack):
    with Connection(stack.port) as connection:
        frames = client_frame(b"first") + client_frame(b"second")
        connection.send(compose("/probe/", HANDSHAKE) + frames)
        assert connection.response().status == 101
        connection.frame()
        assert [connection.frame(), connection.frame()] == [b"first", b"second"]


def test_a_body_behind_a_handshake_is_not_taken_for_frames(stack):
    """nginx keeps the body of a handshake to itself, and the frames start behind it."""
    body = client_frame(b"body")
    with Connection(stack.port) as connection:
        length = ("Content-Length", str(len(body)))
        connection.send(compose("/probe/", (*HANDSHAKE, length)) + body + client_frame(b"frame"))
        assert connection.response().status == 101
        connection.frame()
        assert connection.frame() == b"frame"


def test_a_large_message_to_a_slow_reader_is_streamed(nginx):
    front = nginx()
    with Connection(front.port, receive_buffer=64 * 1024) as connection:
        connection.send(compose("/probe/", HANDSHAKE))
        connection.response()
        connection.frame()
        settled = max(memory_while_reading(front, connection, 1024 * 1024))
        peak = max(memory_while_reading(front, connection, 16 * 1024 * 1024))
    assert peak - settled < 1024 * 1024


def memory_while_reading(front, connection: Connection, size: int) -> Iterator[int]:
    """Ask for a message of ``size`` bytes, take it in pieces, look at nginx after each."""
    connection.send(client_frame(f"big {size}".encode()))
    assert connection.read(2)[1] == 127
    assert int.from_bytes(connection.read(8)) == size
    for _ in range(16):
        assert connection.read(size // 16) == b"x" * (size // 16)
        # Of the one that serves it: another one may just be starting.
        yield max(psutil.Process(pid).memory_info().rss for pid in front.workers())
