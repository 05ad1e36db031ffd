"""A keepalive alone, with a stream on a socket pair."""

import contextlib

import pytest
from gevent import socket

from django_websocket.connection.keepalive import Keepalive
from django_websocket.connection.stream import INBOX_FULL, Stream
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


def test_a_peer_that_answers_is_pinged_again():
    with keepalive(timeout=5) as (one, owner, peer, _):
        one.start()
        for _ in range(3):
            assert peer.recv(2) == bytes((0x80 | PING, 0))
            peer.sendall(b"any sign of life")
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


def test_no_timer_is_left_after_stop():
    with keepalive() as (one, owner, _, _stream):
        one.start()
        one.stop()
        one.stop()
        run_hub()
        assert one._timer is None
        assert owner.lost == 0
