import contextlib
import datetime
import math
import time
from itertools import pairwise

import gevent
import pytest
from gevent import select, socket
from geventwebsocket.exceptions import WebSocketError

from django_websocket.connection.scheduler import SLICE
from django_websocket.connection.stream import READ_SIZE
from django_websocket.connection.websocket import WebSocket
from django_websocket.errors import ConnectionClosed, InvalidJSON
from django_websocket.metrics import counters
from django_websocket.rfc6455.frames import TEXT as OUT_TEXT
from django_websocket.rfc6455.frames import encode_frame
from support.frames import BINARY, CLOSE, PING, PONG, TEXT, close_frame, frame
from support.pair import connection, run_hub, until
from support.server import PATIENCE

BIG = b"x" * 300_000


# accept()


def test_accept_sends_the_101_once():
    with connection(accept=False) as (websocket, client):
        assert not websocket.accepted
        assert websocket.offered_subprotocols == ("chat", "superchat")
        websocket.accept("superchat", [("X-Room", "blue")])
        websocket.accept()
        head = client.read_head()
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"\r\nSec-WebSocket-Protocol: superchat\r\n" in head
        assert b"\r\nX-Room: blue\r\n" in head
        websocket.send("first")
        assert client.receive() == (TEXT, b"first")
        assert websocket.subprotocol == "superchat"


@pytest.mark.parametrize("use", ["send", "receive", "fileno"])
def test_the_first_use_accepts(use):
    with connection(accept=False, early=frame(TEXT, "early")) as (websocket, client):
        {
            "send": lambda: websocket.send("x"),
            "receive": websocket.receive,
            "fileno": websocket.fileno,
        }[use]()
        assert client.read_head().startswith(b"HTTP/1.1 101 ")
        assert websocket.accepted


def test_a_refused_accept_can_be_mended():
    with connection(accept=False) as (websocket, client):
        with pytest.raises(ValueError, match="offers chat, superchat"):
            websocket.accept("soap")
        assert not websocket.accepted
        websocket.accept("chat")
        assert b"chat" in client.read_head()


def test_closed_before_it_was_accepted():
    with connection(accept=False) as (websocket, _):
        websocket.close(4403, "no")
        assert (websocket.closed, websocket.close_code) == (True, 4403)
        assert websocket.receive() is None
        with pytest.raises(ConnectionClosed):
            websocket.accept()
        with pytest.raises(ConnectionClosed):
            websocket.send("x")


# receive()


def test_messages_behind_the_handshake_are_not_lost():
    early = frame(TEXT, "one") + frame(BINARY, b"two") + frame(TEXT, "three")[:-2]
    with connection(early=early) as (websocket, client):
        client.send(frame(TEXT, "three")[-2:])
        assert [websocket.receive() for _ in range(3)] == ["one", b"two", "three"]


def test_iteration_ends_with_the_connection():
    with connection() as (websocket, client):
        client.send(frame(TEXT, "a"), frame(TEXT, "b"), close_frame(1001, "bye"))
        assert list(websocket) == ["a", "b"]
        assert (websocket.close_code, websocket.close_reason) == (1001, "bye")
        assert websocket.receive() is None


def test_json():
    with connection() as (websocket, client):
        client.send(frame(TEXT, '{"a": 1}'))
        assert websocket.receive_json() == {"a": 1}
        websocket.send_json(["ä"])
        assert client.receive() == (TEXT, b'["\xc3\xa4"]')
        with pytest.raises(TypeError, match=r"found date at \['day'\]"):
            websocket.send_json({"day": datetime.date(2026, 1, 2)})  # only Django's encoder can


def test_json_null_is_a_value_and_the_end_is_none():
    with connection() as (websocket, client):
        client.send(frame(TEXT, "null"), frame(TEXT, "[1]"), frame(TEXT, "null"), close_frame(1001))
        assert websocket.receive_json() is None
        assert list(websocket.iter_json()) == [[1], None]
        with pytest.raises(ConnectionClosed, match="1001"):
            websocket.receive_json()


def test_what_is_no_json_is_an_error_of_its_own_and_the_next_message_is_read():
    with connection() as (websocket, client):
        client.send(frame(TEXT, "{"), frame(BINARY, b"\xff"), frame(TEXT, "2"))
        for _ in range(2):
            with pytest.raises(InvalidJSON):
                websocket.receive_json()
        assert websocket.receive_json() == 2


@pytest.mark.parametrize("value", [{"a": 1}, [1], 5, None])
def test_what_is_no_message_is_pointed_to_send_json(value):
    with connection() as (websocket, _), pytest.raises(TypeError, match=r"use send_json\(\)"):
        websocket.send(value)


def test_a_timeout_loses_nothing():
    with connection() as (websocket, client):
        client.send(frame(TEXT, "late")[:-1])
        with pytest.raises(TimeoutError, match=r"0\.02 seconds"):
            websocket.receive(timeout=0.02)
        client.send(frame(TEXT, "late")[-1:])
        assert websocket.receive(timeout=PATIENCE) == "late"


@pytest.mark.parametrize(
    ("timeout", "kind"),
    [("5", TypeError), (True, TypeError), ([], TypeError), (math.nan, ValueError),
     (math.inf, ValueError), (1e300, ValueError)],
)  # fmt: skip
def test_what_is_no_time_to_wait(timeout, kind):
    """The event loop would hang at a NaN, and JSON of a client's can have one."""
    with connection() as (websocket, client):
        with pytest.raises(kind, match="expected a timeout"):
            websocket.receive(timeout=timeout)
        with pytest.raises(TimeoutError):
            websocket.receive(timeout=-0.001)
        client.send(frame(TEXT, "on"))
        assert websocket.receive() == "on"


def test_a_killed_receiver_leaves_the_message_to_the_next():
    with connection() as (websocket, client):
        first = gevent.spawn(websocket.receive)
        run_hub()
        first.kill()
        second = gevent.spawn(websocket.receive)
        run_hub()
        client.send(frame(TEXT, "x"))
        assert second.get(timeout=PATIENCE) == "x"


def test_two_greenlets_receive():
    with connection() as (websocket, client):
        greenlets = [gevent.spawn(websocket.receive) for _ in range(3)]
        run_hub()
        client.send(frame(TEXT, "x"), frame(TEXT, "y"), close_frame(1000))
        gevent.joinall(greenlets, timeout=PATIENCE)
        assert {greenlet.value for greenlet in greenlets} == {"x", "y", None}


def test_before_wait_is_called_only_before_a_wait():
    calls = []
    with connection() as (websocket, client):
        websocket._before_wait = lambda: calls.append(1)
        client.send(frame(TEXT, "a"), frame(TEXT, "b"))
        websocket.receive()
        assert calls == [1]
        websocket.receive()
        assert calls == [1], "a message was there already"


@pytest.mark.parametrize(
    ("options", "message", "most"),
    [
        ({"receive_queue_size": 3}, b"x" * 50_000, 3),
        ({"receive_buffer_size": 200_000}, b"x" * 50_000, 4),
        ({"receive_queue_size": 3}, b"x", 3),
    ],
)
def test_a_view_that_lags_pushes_back(options, message, most):
    count = 200
    with connection(**options) as (websocket, client):
        sender = gevent.spawn(client.send, *[frame(BINARY, message)] * count)
        run_hub()
        assert len(websocket._inbox.queue) <= most
        if len(message) > 1:
            assert not sender.ready(), "the client was not slowed down"
        for _ in range(count):
            assert websocket.receive(timeout=PATIENCE) == message
        sender.get(timeout=PATIENCE)


def test_a_view_that_lags_still_sees_the_end():
    with connection(receive_queue_size=1, close_timeout=30) as (websocket, client):
        client.send(frame(TEXT, "a"), frame(TEXT, "b"), close_frame(1000))
        client.sock.shutdown(socket.SHUT_WR)
        run_hub()
        assert list(websocket) == ["a", "b"]
        with gevent.Timeout(5):
            websocket._finish()


def test_pings_are_answered_while_the_view_is_busy():
    with connection() as (_, client):
        client.send(frame(TEXT, "a"), frame(PING, b"?"), frame(TEXT, "b"))
        assert client.receive() == (PONG, b"?")


# fileno()


def test_readable_exactly_when_receive_would_not_wait():
    with connection() as (websocket, client):

        def ready(timeout=0.0):
            return bool(select.select([websocket], [], [], timeout)[0])

        assert not ready()
        client.send(frame(TEXT, "a"), frame(TEXT, "b"))
        assert ready(5)
        assert websocket.receive() == "a"
        assert ready(), "two messages came in one packet"
        assert websocket.receive() == "b"
        assert not ready()
        client.send(frame(PING), frame(PONG), frame(TEXT, "c")[:-1])
        assert not ready(0.05), "no message is complete"
        client.send(frame(TEXT, "c")[-1:])
        assert ready(5)
        websocket.receive()
        client.send(close_frame(1000))
        assert ready(5)
        assert websocket.receive() is None
        assert ready()
    assert websocket.fileno() == -1


# send()


@pytest.mark.parametrize(
    ("message", "binary", "expected"),
    [
        ("ä", None, (TEXT, "ä".encode())),
        ("ä", True, (BINARY, "ä".encode())),
        (b"\xff", None, (BINARY, b"\xff")),
        (bytearray(b"x"), None, (BINARY, b"x")),
        (memoryview(b"x"), True, (BINARY, b"x")),
        (b"x", False, (TEXT, b"x")),
        ("", None, (TEXT, b"")),
    ],
)
def test_what_is_sent(message, binary, expected):
    with connection() as (websocket, client):
        websocket.send(message, binary)
        assert client.receive() == expected


@pytest.mark.parametrize(
    ("message", "binary", "error"),
    [(5, None, TypeError), (None, None, TypeError), (b"\xff", False, ValueError)],
)
def test_what_is_no_message(message, binary, error):
    with connection() as (websocket, client):
        with pytest.raises(error):
            websocket.send(message, binary)
        websocket.send("still here")
        assert client.receive() == (TEXT, b"still here")


def test_senders_do_not_mix_their_frames():
    with connection(send_buffer_size=100_000) as (websocket, client):
        letters = [bytes([letter]) * 40_000 for letter in b"abcdef"]
        senders = [
            gevent.spawn(lambda data=data: [websocket.send(data) for _ in range(20)])
            for data in letters
        ]
        received = [client.receive()[1] for _ in range(120)]
        gevent.joinall(senders, timeout=PATIENCE, raise_error=True)
        assert sorted(received) == sorted(letters * 20)


def test_send_waits_for_a_slow_reader():
    calls = []
    with connection(send_buffer_size=100_000) as (websocket, client):
        websocket._before_wait = lambda: calls.append(1)
        sender = gevent.spawn(lambda: [websocket.send(BIG) for _ in range(10)])
        run_hub()
        assert not sender.ready()
        assert calls
        assert websocket._stream.buffer.size <= 100_000 + len(BIG)
        assert [client.receive()[1] for _ in range(10)] == [BIG] * 10
        sender.get(timeout=PATIENCE)


def test_send_ends_with_the_connection():
    with connection(send_buffer_size=100_000) as (websocket, client):
        sender = gevent.spawn(lambda: [websocket.send(BIG) for _ in range(10)])
        run_hub()
        client.sock.close()
        with pytest.raises(ConnectionClosed) as closed:
            sender.get(timeout=PATIENCE)
        assert closed.value.code == websocket.close_code == 1006
        with pytest.raises(WebSocketError):
            websocket.send("x")


def test_a_sender_that_waits_learns_of_the_close():
    with connection(send_buffer_size=100_000, close_timeout=30) as (websocket, _):
        senders = [gevent.spawn(lambda: [websocket.send(BIG) for _ in range(10)]) for _ in range(2)]
        run_hub()
        websocket.close(1000)
        gevent.wait(senders, timeout=PATIENCE, count=1)
        assert any(isinstance(sender.exception, ConnectionClosed) for sender in senders)


def test_short_texts_for_whom_the_kernel_has_no_room_wait_their_turn():
    count = messages_until_the_kernel_is_full() + 100
    with connection() as (websocket, client):
        for number in range(count):
            websocket.send(f"{number:5}")
        assert websocket._stream.buffer
        for number in range(count):
            assert client.receive() == (TEXT, b"%5d" % number)
        assert websocket.messages_sent == count
        until(lambda: websocket._stream.buffer is None)
        websocket.send("again")
        assert client.receive() == (TEXT, b"again")


@pytest.mark.parametrize("taken", [1, 2, 6])
def test_a_short_text_of_which_the_kernel_takes_a_part(taken):
    with connection() as (websocket, client):
        before, whole = websocket.bytes_sent, websocket._stream.transport

        class Part:
            def send(self, data):
                websocket._stream.transport = whole
                return whole.send(data[:taken])

        websocket._stream.transport = Part()
        websocket.send("short")
        websocket.send("next")
        assert [client.receive(), client.receive()] == [(TEXT, b"short"), (TEXT, b"next")]
        assert websocket.bytes_sent - before == len(b"..short..next")


def test_sending_without_pause_lets_others_run():
    with connection() as (websocket, client):
        reader = gevent.spawn(lambda: [client.receive() for _ in range(20_000)])
        ticks = []
        ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0)) for _ in range(100_000)])
        for _ in range(20_000):
            websocket.send("x")
        assert len(ticks) > 10
        reader.get(timeout=PATIENCE)
        ticker.kill()


def test_compression_from_the_threshold_on():
    offer = {"HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate"}
    with connection(environ=offer, compression_threshold=100) as (websocket, client):
        websocket.send("x" * 99)
        assert client.receive() == (TEXT, b"x" * 99)
        websocket.send("x" * 1000)
        assert len(client.receive()[1]) < 50
        assert websocket._window_bits == 12
    with connection(environ=offer) as (websocket, client):
        assert websocket._window_bits is None, "off by default"


# deliver()


def fill(websocket):
    """Broadcast until the kernel and the buffer are full."""
    note = encode_frame(OUT_TEXT, b"n" * 10_000)
    while websocket._stream.buffer is None or websocket._stream.buffer.size < 90_000:
        assert websocket._deliver(note)


def test_a_broadcast_never_waits_and_closes_who_is_too_slow():
    before = counters.slow_clients_closed
    with connection(send_buffer_size=100_000) as (websocket, client):
        fill(websocket)
        frames = encode_frame(OUT_TEXT, b"n" * 20_000)
        assert not websocket._deliver(frames)
        assert websocket.close_code == 1013
        assert counters.slow_clients_closed == before + 1
        received = [client.receive()]
        while received[-1][0] != CLOSE:
            received.append(client.receive())
        assert received[-1][1][:2] == (1013).to_bytes(2, "big")
        assert {payload for _, payload in received[:-1]} == {b"n" * 10_000}, "a frame was cut"


def messages_until_the_kernel_is_full():
    with connection() as (websocket, _):
        count = 0
        while websocket._stream.buffer is None:
            websocket.send("small")
            count += 1
    return count - 1


def test_a_large_message_of_which_only_the_header_has_left_is_not_dropped():
    small = messages_until_the_kernel_is_full()
    for before in (small, small - 1, small - 2):
        with connection(send_buffer_size=100_000) as (websocket, client):
            for _ in range(before):
                websocket.send("small")
            websocket.send(b"y" * 50_000)
            while websocket._deliver(encode_frame(OUT_TEXT, b"n" * 30_000)):
                pass
            received = [client.receive()]
            while received[-1][0] != CLOSE:
                received.append(client.receive())
            assert received[before] in [(BINARY, b"y" * 50_000), received[-1]]
            assert received[-1][1][:2] == (1013).to_bytes(2, "big")


def test_a_broadcast_can_drop_the_oldest():
    before = counters.broadcasts_dropped
    with connection(send_buffer_size=100_000, send_buffer_policy="drop_oldest") as pair:
        websocket, client = pair
        fill(websocket)
        assert websocket._deliver(encode_frame(OUT_TEXT, b"last" * 5000))
        assert counters.broadcasts_dropped > before
        assert websocket._stream.buffer.size <= 100_000
        while (received := client.receive())[1][:4] != b"last":
            assert received == (TEXT, b"n" * 10_000)
        assert not websocket.closed


def test_a_broadcast_to_who_has_left():
    with connection() as (websocket, _):
        websocket.close()
        assert websocket._deliver(encode_frame(OUT_TEXT, b"x")) is False
    with connection(accept=False) as (websocket, _):
        assert websocket._deliver(encode_frame(OUT_TEXT, b"x")) is False


@pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
def test_broadcasts_that_come_together_are_dropped_one_by_one(policy):
    """They leave with one system call; what the kernel does not take waits frame by frame."""
    with connection(send_buffer_size=100_000) as (websocket, client):
        numbers = iter(range(1_000_000))
        kept, dropped = 0, counters.broadcasts_dropped + counters.broadcasts_replaced
        last = -1
        while websocket._stream.buffer is None or last < 10_000:
            batch = [next(numbers) for _ in range(100)]
            frames = [(encode_frame(OUT_TEXT, b"%d." % n * 50), ("c", n % 3)) for n in batch]
            websocket._deliver_all(frames, b"".join(frame for frame, _ in frames), policy)
            last = batch[-1]
        received = []
        while not received or received[-1] != last:
            opcode, payload = client.receive()
            number = payload[: payload.index(b".") + 1]
            assert (opcode, payload) == (TEXT, number * 50), "whole frames only"
            received.append(int(number[:-1]))
            kept += 1
        dropped = counters.broadcasts_dropped + counters.broadcasts_replaced - dropped
        assert received == sorted(received)
        assert dropped > 0
        assert kept + dropped == last + 1
        assert websocket.messages_sent - dropped <= kept <= websocket.messages_sent


# the end


@pytest.mark.parametrize("reason", ["über", "über".encode()])
def test_close_says_why(reason):
    with connection() as (websocket, client):
        websocket.close(4401, reason)
        websocket.close(1000)
        assert websocket.closed
        assert client.receive() == (CLOSE, (4401).to_bytes(2, "big") + "über".encode())
        client.send(close_frame(4401))
        assert client.receive_all() == b""
        assert (websocket.close_code, websocket.close_reason) == (4401, "über")


def test_close_from_another_greenlet_wakes_the_receiver():
    with connection() as (websocket, _):
        receiver = gevent.spawn(websocket.receive)
        run_hub()
        websocket.close()
        assert receiver.get(timeout=PATIENCE) is None


def test_close_with_a_code_that_cannot_be_sent():
    with connection() as (websocket, _):
        with pytest.raises(ValueError, match="1006"):
            websocket.close(1006)
        assert not websocket.closed


def test_finish_waits_for_the_client_but_not_for_ever():
    with connection(close_timeout=0.05) as (websocket, client):
        with gevent.Timeout(5):
            websocket._finish()
        assert client.receive() == (CLOSE, (1000).to_bytes(2, "big"))
        assert websocket.close_code == 1000


def test_finish_does_not_wait_once_the_client_has_answered():
    with connection(close_timeout=30) as (websocket, client):
        websocket.close()
        client.send(close_frame(1000))
        with gevent.Timeout(5):
            websocket._finish()


def test_a_client_that_leaves_is_not_waited_for():
    with connection(close_timeout=30) as (websocket, client):
        client.send(close_frame(4000))  # and keeps its side of the connection open
        with gevent.Timeout(5):
            assert websocket.receive() is None
            websocket._finish()
        assert client.receive() == (CLOSE, (4000).to_bytes(2, "big"))
        assert websocket.close_code == 4000


def test_what_follows_a_clients_close_frame_is_thrown_away():
    with connection(close_timeout=0.2) as (websocket, client):
        client.send(close_frame(1000) + frame(TEXT, "too late"))
        assert websocket.receive() is None
        assert client.receive() == (CLOSE, (1000).to_bytes(2, "big"))
        client.send(frame(TEXT, "later still"))
        with gevent.Timeout(5):
            websocket._finish()
        assert websocket.messages_received == 0


def test_going_away_lets_the_view_have_what_is_on_its_way():
    with connection() as (websocket, client):
        client.send(frame(TEXT, "one"))
        run_hub()
        websocket._go_away()
        assert client.receive()[1] == (1012).to_bytes(2, "big")
        client.send(frame(TEXT, "two"), close_frame(1012))
        assert list(websocket) == ["one", "two"]
        assert websocket.close_code == 1012
        with pytest.raises(ConnectionClosed):
            websocket.send("x")


def test_a_close_that_the_kernel_has_no_room_for_goes_out_later():
    with connection() as (websocket, client):
        sender = gevent.spawn(websocket.send, b"x" * 900_000)
        run_hub()
        websocket.close(4000)
        assert client.receive()[1] == b"x" * 900_000
        assert client.receive() == (CLOSE, (4000).to_bytes(2, "big"))
        sender.get(timeout=PATIENCE)


def test_flooding_with_pings_without_reading_costs_a_bounded_buffer():
    with connection(send_buffer_size=50_000) as (websocket, client):
        flood = gevent.spawn(client.send, *[frame(PING, b"x" * 125)] * 20_000)
        run_hub()
        assert not flood.ready()
        assert websocket._stream.buffer.size < 50_000 + 100_000
        for _ in range(20_000):
            assert client.receive() == (PONG, b"x" * 125)
        flood.get(timeout=PATIENCE)


def test_a_reader_and_a_sender_wait_on_one_socket_while_others_are_served():
    def feed(websocket):
        with contextlib.suppress(ConnectionClosed):
            while True:
                websocket.send(b"x" * 60_000)

    def echo(websocket):
        for message in websocket:
            websocket.send(message)

    with contextlib.ExitStack() as stack:
        slow, slow_client = stack.enter_context(connection(send_buffer_size=100_000))
        others = [stack.enter_context(connection()) for _ in range(8)]
        views = [gevent.spawn(echo, websocket) for websocket, _ in (*others, (slow, None))]
        views.append(gevent.spawn(feed, slow))
        run_hub()
        for number in range(100):
            slow_client.send(frame(TEXT, "still here"))
            slow_client.read_exactly(30_000)
            for _, client in others:
                client.send(frame(TEXT, str(number)))
            for _, client in others:
                assert client.receive() == (TEXT, str(number).encode())
        slow.close()
        for websocket, _ in others:
            websocket.close()
        gevent.joinall(views, timeout=PATIENCE, raise_error=True)


FRAGMENTS = [frame(TEXT, "x", fin=False), *[frame(0, "x", fin=False)] * 20_000, frame(0, "x")]


@pytest.mark.parametrize(
    "flood",
    [[frame(PING)] * 20_000, [frame(PONG)] * 20_000, FRAGMENTS],
    ids=["pings", "pongs", "fragments"],
)
def test_reading_much_of_one_client_gives_others_their_turn(flood):
    with connection() as (websocket, client):
        gaps = [0.0]

        def tick():
            while True:
                before = time.process_time()
                gevent.sleep(0.0001)
                gaps.append(time.process_time() - before)

        ticking = gevent.spawn(tick)
        drain(client)
        client.send(*flood, frame(TEXT, "end"))
        while websocket.receive(timeout=PATIENCE) != "end":
            pass
        ticking.kill()
        assert max(gaps) < 0.1


def drain(client):
    """Read what comes, so that nothing waits for it."""

    def read():
        with contextlib.suppress(OSError):
            client.receive_all()

    gevent.spawn(read)


def test_what_comes_when_nobody_wants_it_is_not_kept():
    with connection() as (websocket, client):
        websocket.close()
        flood = gevent.spawn(client.send, *[frame(TEXT, "x")] * 60_000)
        largest = 0
        while not flood.ready():
            gevent.sleep(0.0001)
            largest = max(largest, len(websocket._protocol._buffer or b""))
        client.send(close_frame(1000))
        until(lambda: websocket._protocol.finished, PATIENCE)
        assert largest <= 2 * READ_SIZE


def test_iterating_gives_way_in_time():
    with connection() as (websocket, client), connection() as (other, other_client):
        log = []

        def view():
            for _ in websocket:
                log.append("busy")
                end = time.process_time() + 0.001
                while time.process_time() < end:
                    pass

        def probe():
            for _ in range(20):
                other_client.send(frame(TEXT, "probe"))
                assert other.receive() == "probe"
                log.append("probe")

        client.send(*[frame(TEXT, "x")] * 1000)
        busy = gevent.spawn(view)
        gevent.spawn(probe).get(timeout=PATIENCE)
        assert log.count("busy") < 20 * 25
        websocket.close()
        busy.get(timeout=PATIENCE)


@pytest.mark.parametrize("holds", [None, list], ids=["without a database", "with rows in hand"])
def test_sending_gives_way_in_time_unless_a_transaction_may_be_open(holds):
    with connection() as (websocket, client):
        ticks = []

        def tick():
            while True:
                ticks.append(len(ticks))
                gevent.sleep(0)

        drain(client)
        gevent.spawn(tick)
        websocket._before_wait = holds
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            websocket.send("x")
        assert (len(ticks) > 5) == (holds is None)


def test_a_view_that_is_fed_without_end_gives_its_database_connection_back():
    with connection() as (websocket, client):
        released = []
        websocket._before_wait = lambda: released.append(time.monotonic())
        client.send(*[frame(TEXT, "x")] * 60)
        run_hub()
        for _ in range(60):
            websocket.receive()
            end = time.monotonic() + 0.001
            while time.monotonic() < end:
                pass
        assert len(released) >= 4
        pauses = [later - earlier for earlier, later in pairwise(released)]
        assert min(pauses) > SLICE * 0.9, "not after each message"


# keeping alive

FAST = {"ping_interval": 0.05, "ping_timeout": 0.05}


def test_a_silent_peer_is_pinged_and_lives_when_it_answers():
    with connection(**FAST) as (websocket, client):
        for _ in range(4):
            assert client.receive() == (PING, b"")
            client.send(frame(PONG))
        assert not websocket.closed


def test_what_the_worker_computed_before_is_no_silence():
    run_hub()
    time.sleep(0.6)  # the hub does not run, and its clock stands still
    with connection(ping_interval=0.5) as (websocket, _):
        sent = websocket.bytes_sent
        run_hub()
        assert websocket.bytes_sent == sent


def test_a_peer_that_speaks_is_not_pinged():
    with connection(ping_interval=1.0) as (websocket, client):
        for _ in range(6):
            client.send(frame(TEXT, "x"))
            assert websocket.receive() == "x"
            gevent.sleep(0.25)
        websocket.close()
        assert client.receive()[0] == CLOSE


def test_a_dead_peer_is_noticed_by_a_view_that_waits():
    with connection(**FAST) as (websocket, _):
        assert websocket.receive(timeout=PATIENCE) is None
        assert websocket.close_code == 1006


def test_a_dead_peer_is_noticed_by_a_view_that_only_sends():
    with connection(**FAST, send_buffer_size=10_000) as (websocket, _):
        ticker = gevent.spawn(
            lambda: [websocket.send(gevent.sleep(0.005) or "x") for _ in range(999)]
        )
        with pytest.raises(ConnectionClosed):
            ticker.get(timeout=PATIENCE)
        assert websocket.close_code == 1006


def test_a_dead_peer_is_noticed_by_a_view_that_waits_for_room():
    with connection(**FAST, send_buffer_size=10_000) as (websocket, _):
        sender = gevent.spawn(websocket.send, BIG * 10)
        with pytest.raises(ConnectionClosed):
            sender.get(timeout=PATIENCE)


def test_a_slow_reader_is_not_dead():
    with connection(**FAST, send_buffer_size=10_000) as (websocket, client):
        sender = gevent.spawn(websocket.send, b"x" * 3_000_000)
        while not sender.ready():
            client.sock.recv(150_000)
            gevent.sleep(0.02)
        sender.get()


def test_who_is_not_read_cannot_answer():
    with connection(**FAST, receive_queue_size=1) as (websocket, client):
        client.send(frame(TEXT, "a"), frame(TEXT, "b"))
        for _ in range(3):
            assert client.receive() == (PING, b""), "the proxy on the way wants to see traffic"
        gevent.sleep(0.2)
        client.send(frame(PONG))
        assert [websocket.receive(), websocket.receive()] == ["a", "b"]
        assert not websocket.closed


def test_a_hub_that_was_blocked_kills_nobody():
    with connection(**FAST) as (websocket, client):
        client.receive()
        client.send(frame(PONG))
        blocked_until = gevent.get_hub().loop.now() + 0.3
        while _real_now() < blocked_until:
            pass
        gevent.sleep(0)
        run_hub()
        assert not websocket.closed


def _real_now():
    loop = gevent.get_hub().loop
    loop.update_now()
    return loop.now()


def test_a_fault_of_ours_costs_one_connection(caplog, monkeypatch):
    with connection() as (websocket, client), connection() as (other, other_client):

        def broken(*args):
            raise RuntimeError("oops")

        monkeypatch.setattr(type(websocket._protocol), "feed", broken)
        client.send(frame(BINARY, b"x"))
        assert websocket.receive(timeout=PATIENCE) is None
        monkeypatch.undo()
        assert client.receive() == (CLOSE, (1011).to_bytes(2, "big"))
        assert "oops" in caplog.text
        other_client.send(frame(TEXT, "y"))
        assert other.receive(timeout=PATIENCE) == "y"


def test_the_watchers_are_gone_with_the_connection():
    with connection() as (websocket, client):
        client.sock.close()
        until(lambda: websocket.closed)
        assert websocket._stream._reader is websocket._stream._writer is None
        assert websocket._keepalive._slot is None


# The shape


def test_it_is_one_class_with_the_classic_face():
    assert [each.__name__ for each in WebSocket.__mro__] == ["WebSocket", "ClassicFace", "object"]


#: What views use; what only code for gevent-websocket uses is in ClassicFace.
PUBLIC = """
    accept accepted bytes_received bytes_sent close close_code close_reason closed enter environ
    fileno handler iter_json leave messages_received messages_sent offered_subprotocols receive
    receive_json send send_json subprotocol subscribe subscribe_user unsubscribe
    unwatch watch whisper
"""


def test_a_view_sees_what_is_its_own():
    assert sorted(name for name in vars(WebSocket) if not name.startswith("_")) == PUBLIC.split()


def test_nobody_is_in_the_list_of_waiters_who_does_not_wait():
    with connection() as (websocket, client):
        waits = gevent.spawn(websocket.receive)
        killed = gevent.spawn(websocket.receive)
        run_hub()
        assert websocket._waiters == [waits, killed]
        killed.kill()
        assert websocket._waiters == [waits]
        client.send(frame(TEXT, "x"))
        assert waits.get(timeout=PATIENCE) == "x"
        assert websocket._waiters == []


def test_who_sends_little_does_not_wait_for_those_who_flood():
    order = []

    def note(name, websocket):
        for _ in websocket:
            order.append(name)

    with connection() as (flooded, flooder), connection() as (quiet, client):
        views = [gevent.spawn(note, "flooder", flooded), gevent.spawn(note, "neighbour", quiet)]
        run_hub()
        flooder.send(frame(TEXT, "x") * 100)
        client.send(frame(TEXT, "x"))
        flooded._stream.read()  # it is the first to arrive
        quiet._stream.read()
        until(lambda: len(order) == 101)
        gevent.killall(views)
    assert order[0] == "neighbour"
