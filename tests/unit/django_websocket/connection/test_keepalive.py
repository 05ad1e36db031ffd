"""A keepalive alone, with a stream on a socket pair."""

import contextlib
import time

import pytest
from gevent import get_hub, socket

from django_websocket.connection.keepalive import Keepalive
from django_websocket.connection.stream import INBOX_FULL, Stream
from django_websocket.connection.timerwheel import TICK, wheel_of
from support.frames import PING
from support.pair import run_hub, until

from .test_stream import Owner


@contextlib.contextmanager
def keepalive(interval=0.05, timeout=0.1):
    ours, theirs = socket.socketpair()
    owner = Owner()
    with ours, theirs:
        theirs.settimeout(10)
        stream = Stream(ours, 100_000, owner)
        one = Keepalive(stream, owner, interval, timeout)
        stream.start_reading()
        try:
            yield one, owner, theirs, stream
        finally:
            one.stop()
            stream.stop()


def test_a_silent_peer_gets_a_ping_and_is_then_lost():
    with keepalive() as (one, owner, peer, _):
        one.start()
        assert peer.recv(2) == bytes((0x80 | PING, 0))
        until(lambda: owner.lost == 1)


def test_pings_that_are_due_within_a_tick_leave_together():
    with keepalive(interval=TICK) as (one, _, peer, _), keepalive(TICK) as (two, _, other, _):
        until(lambda: time.monotonic() % TICK < TICK / 4)
        one.start()
        two.start()
        peer.recv(2)
        assert other.recv(2, socket.MSG_DONTWAIT) == bytes((0x80 | PING, 0))


def test_a_peer_that_answers_is_pinged_again():
    with keepalive(timeout=5) as (one, owner, peer, _):
        one.start()
        for _ in range(3):
            assert peer.recv(2) == bytes((0x80 | PING, 0))
            peer.sendall(b"any sign of life")
        assert owner.lost == 0


def test_an_answer_that_is_here_counts_however_late_the_worker_looks():
    with keepalive(timeout=0.05) as (one, owner, peer, _):
        one.start()
        peer.recv(2)
        peer.sendall(b"any sign of life")
        time.sleep(0.2)  # a view blocks the worker, beyond the deadline
        peer.recv(2)
        assert owner.lost == 0


def test_a_peer_that_is_not_read_cannot_answer():
    with keepalive(timeout=0.05) as (one, owner, peer, stream):
        stream.pause(INBOX_FULL)
        one.start()
        for _ in range(4):
            peer.recv(2)
        assert owner.lost == 0


@pytest.mark.parametrize("interval", [None, 0.05])
def test_it_ends_the_connection_instead_once_that_closes(interval):
    with keepalive(interval) as (one, owner, _, _stream):
        ended = []
        one.start()
        one.close_within(0.05, lambda: ended.append(True))
        until(lambda: ended)
        assert owner.lost == 0


def test_no_deadline_is_left_after_stop():
    with keepalive() as (one, owner, _, _stream):
        one.start()
        one.stop()
        one.stop()
        run_hub()
        assert not wheel_of(get_hub())
        assert owner.lost == 0


def beats(peer):
    """What has come as heartbeats, and how many pings."""
    data = peer.recv(1000)
    return data.count(b'"ws.heartbeat"'), data.count(bytes((0x80 | PING, 0)))


def test_heartbeats_come_at_once_and_with_each_ping():
    with keepalive(timeout=5) as (one, owner, peer, _):
        one.start()
        one.beat()
        assert b'{"type":"ws.heartbeat","within":5.05}' in peer.recv(100)
        for _ in range(3):
            assert beats(peer) == (1, 1)
            peer.sendall(b"any sign of life")
        assert owner.lost == 0


def test_a_peer_that_is_never_silent_gets_heartbeats_too():
    with keepalive(interval=0.1, timeout=5) as (one, _owner, peer, _):
        one.start()
        one.beat()
        peer.recv(100)
        peer.settimeout(0.02)
        found = [0, 0]
        while found[0] < 3:
            peer.sendall(b"talking")
            with contextlib.suppress(TimeoutError):
                found = [sum(pair) for pair in zip(found, beats(peer), strict=True)]
        assert found[1] == 0


def test_there_are_no_heartbeats_without_pings():
    with keepalive(None) as (one, _, peer, _stream):
        one.start()
        one.beat()
        peer.settimeout(0.05)
        with pytest.raises(TimeoutError):
            peer.recv(1)
