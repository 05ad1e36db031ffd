"""A stream alone: an owner that writes down what it is called with, and a peer on a socket pair."""

import contextlib

import gevent
from gevent import socket

from django_websocket.connection.stream import CHOKED, INBOX_FULL, READ_SIZE, Stream
from support.pair import run_hub, until


class Owner:
    def __init__(self):
        self.data, self.lost, self.room, self.errors = b"", 0, 0, 0

    def _on_data(self, data):
        if data == b"raise":
            raise RuntimeError("oops")
        self.data += data

    def _on_lost(self):
        self.lost += 1

    def _on_room(self):
        self.room += 1

    def _on_error(self):
        self.errors += 1


@contextlib.contextmanager
def stream(limit=100_000):
    ours, theirs = socket.socketpair()
    owner = Owner()
    with ours, theirs:
        one = Stream(ours, limit, owner)
        try:
            yield one, owner, theirs
        finally:
            one.stop()


def watches(one):
    """Whether the invariant holds that a send buffer and a write watcher come and go together."""
    return (one.buffer is None) == (one._writer is None)


def test_what_comes_goes_to_the_owner():
    with stream() as (one, owner, peer):
        one.start_reading()
        peer.sendall(b"abc")
        until(lambda: owner.data == b"abc")
        assert one.bytes_received == 3
        assert one.alive_at > 0
        peer.close()
        until(lambda: owner.lost)


def test_an_owner_that_fails_is_called_with_its_error():
    with stream() as (one, owner, peer):
        one.start_reading()
        peer.sendall(b"raise")
        until(lambda: owner.errors == 1)
        assert owner.lost == 0


def test_it_reads_only_while_there_is_no_reason_to_pause():
    with stream() as (one, owner, peer):
        one.start_reading()
        one.pause(INBOX_FULL)
        one.pause(CHOKED)
        peer.sendall(b"later")
        run_hub()
        one.resume(INBOX_FULL)
        run_hub()
        assert owner.data == b""
        one.resume(CHOKED)
        until(lambda: owner.data == b"later")


def test_it_does_not_begin_to_read_while_paused():
    with stream() as (one, owner, peer):
        one.pause(INBOX_FULL)
        one.start_reading()
        peer.sendall(b"later")
        run_hub()
        assert owner.data == b""
        one.resume(INBOX_FULL)
        until(lambda: owner.data == b"later")


def test_what_the_kernel_does_not_take_waits_in_order():
    data = bytes(range(256)) * 20_000
    with stream(limit=1000) as (one, owner, peer):
        one.write(data[:5], b"head")
        one.write(data)
        assert one.buffer is not None
        assert watches(one)
        assert not one.has_room(1000)
        one.write(b"last")
        received = b""
        while len(received) < len(data) + 13:
            received += peer.recv(READ_SIZE)
        assert received == b"head" + data[:5] + data + b"last"
        until(lambda: one.buffer is None)
        assert watches(one)
        assert owner.room > 0
        assert one.bytes_sent == len(received)
        assert one.has_room(10**9)


def test_the_rest_of_a_large_frame_waits_without_a_copy():
    with stream() as (one, _, peer):
        data = bytes(3_000_000)
        one.write(data, b"header")
        assert one.buffer.chunk().obj is data
        received = b""
        while len(received) < len(data) + 6:
            received += peer.recv(READ_SIZE)
        assert received == b"header" + data


def test_the_end_is_announced_once_everything_is_out():
    data = bytes(3_000_000)
    with stream() as (one, _, peer):
        one.write(data)
        one.shut_down()
        received = 0
        while piece := peer.recv(READ_SIZE):
            received += len(piece)
        assert received == len(data)


def test_writing_to_a_peer_that_is_gone_reports_it_and_does_not_raise():
    with stream() as (one, owner, peer):
        peer.close()
        for _ in range(3):
            one.write(b"x")
            gevent.sleep(0)
        assert owner.lost >= 1


def test_nothing_is_left_after_stop():
    with stream() as (one, owner, peer):
        one.start_reading()
        one.write(bytes(3_000_000))
        one.stop()
        one.stop()
        assert one.buffer is None
        assert watches(one)
        peer.sendall(b"x")
        run_hub()
        assert owner.data == b""
