"""A client that sends too much, on a socket pair."""

import time

import gevent
import pytest
from gevent import get_hub

from django_websocket.connection import throttle
from django_websocket.connection.timerwheel import wheel_of
from django_websocket.metrics import counters
from support.frames import BINARY, CLOSE, PING, TEXT, deflated, frame
from support.pair import connection, run_hub, until

DEFLATE = {"HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate"}


def flood(count):
    return [frame(TEXT, str(number)) for number in range(count)]


def test_who_sends_no_more_than_allowed_waits_for_nothing():
    before = counters.clients_throttled
    with connection(receive_rate=10, receive_byte_rate=1000, receive_burst=2) as (socket, client):
        client.send(*flood(20))
        assert [socket.receive(1) for _ in range(20)] == [str(number) for number in range(20)]
    assert counters.clients_throttled == before


def test_who_sends_more_is_slowed_down_and_nothing_is_lost():
    before, began = counters.clients_throttled, time.monotonic()
    limits = {"receive_rate": 100, "receive_burst": 0.1, "receive_queue_size": 4}
    with connection(**limits) as (socket, client):
        client.send(*flood(60))
        assert [socket.receive() for _ in range(60)] == [str(number) for number in range(60)]
        # The first 10 at once, and the last batch need not wait for itself.
        assert time.monotonic() - began > 0.4
        client.send(frame(TEXT, "later"))
        assert socket.receive() == "later"
    assert counters.clients_throttled > before


@pytest.mark.parametrize("what", ["messages", "pings", "fragments"])
def test_the_bytes_of_all_frames_count(what):
    send = {
        "messages": [frame(BINARY, b"x" * 60_000)] * 2,
        "pings": [frame(PING, b"x" * 100)] * 1000,
        "fragments": [frame(TEXT, "", fin=False), *[frame(0, "", fin=False)] * 20_000],
    }[what]
    with connection(receive_byte_rate=10_000, receive_burst=1) as (_, client):
        gevent.spawn(client.send, *send)
        before = counters.clients_throttled
        until(lambda: counters.clients_throttled > before)


def test_of_compressed_messages_counts_what_they_decompress_to():
    options = {"compression_threshold": 0, "receive_byte_rate": 100_000, "receive_burst": 1}
    with connection(environ=DEFLATE, **options) as (socket, client):
        before = counters.clients_throttled
        client.send(frame(BINARY, deflated(b"x" * 500_000), rsv=4))
        assert len(socket.receive()) == 500_000
        assert counters.clients_throttled == before + 1


def test_the_other_policy_closes():
    limits = {"receive_rate": 10, "receive_burst": 1, "receive_policy": "disconnect"}
    before = counters.flooding_clients_closed
    with connection(**limits) as (socket, client):
        client.send(*flood(100))
        assert client.receive() == (CLOSE, (1008).to_bytes(2) + b"too many messages")
        assert socket.receive() is None
        assert socket.close_code == 1008
    assert counters.flooding_clients_closed == before + 1


def test_a_closed_flood_is_still_slowed_down():
    limits = {"receive_rate": 10, "receive_burst": 1, "receive_policy": "disconnect"}
    with connection(**limits) as (socket, client):
        client.send(*flood(100))
        assert client.receive()[0] == CLOSE
        received = socket.bytes_received
        client.send(*flood(100))
        run_hub()
        assert socket.bytes_received == received


def test_nothing_is_left_of_a_throttled_client_that_has_ended():
    deadlines = len(wheel_of(get_hub()))
    with connection(receive_rate=0.01, receive_burst=1, ping_interval=None) as (socket, client):
        client.send(*flood(3))
        assert socket.receive() == "0"
        assert len(wheel_of(get_hub())) == deadlines + 1
    assert len(wheel_of(get_hub())) == deadlines


def test_a_rounded_sum_is_no_excess(monkeypatch):
    now = 65535.23622538102
    assert now + 1 - now > 1
    monkeypatch.setattr(throttle, "monotonic", lambda: now)
    limits = {"receive_rate": 1, "receive_burst": 1, "receive_policy": "disconnect"}
    with connection(**limits) as (socket, client):
        client.send(frame(TEXT, "x"))
        assert socket.receive(1) == "x"
        assert not socket.closed
