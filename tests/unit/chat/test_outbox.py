"""The outbox, before a client that reads from a real socket, or does not."""

import contextlib
import socket
import threading

import pytest

from chat.outbox import SIZE, Outbox
from django_websocket.errors import ConnectionClosed
from support.server import wait_for


class Wire:
    """As much of a WebSocket as the outbox needs: lines on a stream."""

    path = "/chat/lobby/"

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self.closed_with: tuple[int, str] | None = None
        self.senders: set[threading.Thread] = set()

    def send(self, message: str) -> None:
        self.senders.add(threading.current_thread())
        try:
            self._stream.sendall(message.encode() + b"\n")
        except OSError as error:
            raise ConnectionClosed() from error

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed_with = self.closed_with or (code, reason)
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client():
    """The client's end, and the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile() as lines:
        yield lines, Wire(ours)


def fill(outbox):
    """Put more than the kernel takes, and then as much as the outbox holds."""
    outbox.put("x" * 10_000_000)
    wait_for(outbox._queue.empty, 10, "the outbox to send the first")
    for _ in range(SIZE):
        outbox.put("x")


def test_sends_in_order_from_one_thread(client):
    lines, wire = client
    with Outbox(wire) as outbox:
        outbox.put("one")
        outbox.reply("two")
        outbox.put(lambda: "three")
        assert [lines.readline() for _ in range(3)] == ["one\n", "two\n", "three\n"]
    assert len(wire.senders) == 1
    assert threading.current_thread() not in wire.senders


def test_holds_messages_back_until_it_is_entered(client):
    lines, wire = client
    outbox = Outbox(wire)
    outbox.put("early")
    assert not wire.senders
    with outbox:
        assert lines.readline() == "early\n"


def test_a_client_that_does_not_read_is_closed_and_costs_nobody_time(client):
    _, wire = client
    with Outbox(wire) as outbox:
        fill(outbox)
        outbox.put("one too many")
        outbox.put("and another")
        wait_for(lambda: wire.closed_with, 10, "the end of the slow client")
    assert wire.closed_with == (1013, "too slow")


def test_a_reply_waits_for_room(client):
    lines, wire = client
    with Outbox(wire) as outbox:
        fill(outbox)
        reader = threading.Thread(target=lambda: [lines.readline() for _ in range(SIZE + 1)])
        reader.start()
        outbox.reply("reply")
        reader.join(10)
    assert wire.closed_with is None


def test_ends_with_its_view(client):
    _, wire = client
    with Outbox(wire) as outbox:
        outbox.put("one")
        wait_for(lambda: wire.senders, 10, "the sender")
    (sender,) = wire.senders
    sender.join(10)
    assert not sender.is_alive()


def test_ends_with_its_view_even_when_it_is_full(client):
    _, wire = client
    with Outbox(wire) as outbox:
        fill(outbox)
    (sender,) = wire.senders
    sender.join(10)
    assert not sender.is_alive()


def test_a_client_that_left_ends_it_quietly(client):
    _, wire = client
    with Outbox(wire) as outbox:
        wire.close()
        outbox.put("too late")
        wait_for(lambda: wire.senders, 10, "the sender")
        (sender,) = wire.senders
        sender.join(10)
    assert not sender.is_alive()
