import math

from django_websocket.connection.sendbuffer import SendBuffer


def drain(buffer, step):
    data = b""
    while buffer:
        piece = bytes(buffer.chunk())[:step]
        buffer.sent(len(piece))
        data += piece
    assert buffer.size == 0
    return data


def test_bytes_leave_in_order_however_few_at_a_time():
    for step in (1, 2, 3, 100):
        buffer = SendBuffer()
        buffer.append(b"-abc", sent=1)
        buffer.append(b"defg", tag="broadcast")
        buffer.append(b"h")
        assert buffer.size == 8
        assert drain(buffer, step) == b"abcdefgh"


def test_long_frames_leave_without_a_copy():
    buffer = SendBuffer()
    long = b"x" * 1_000_000
    buffer.append(long)
    buffer.append(b"y")
    assert buffer.chunk().obj is long


def test_the_oldest_broadcasts_are_dropped():
    buffer = SendBuffer()
    for frame, tag in [(b"own", None), (b"old", "a"), (b"mid", "b"), (b"new", "a")]:
        buffer.append(frame, tag=tag)
    assert buffer.drop_broadcasts(4) == 2
    assert buffer.size == 6
    assert drain(buffer, 100) == b"ownnew"


def test_broadcasts_with_one_tag_are_dropped():
    buffer = SendBuffer()
    for frame, tag in [(b"own", None), (b"old", "a"), (b"mid", "b"), (b"new", "a")]:
        buffer.append(frame, tag=tag)
    assert buffer.drop_broadcasts(math.inf, "a") == 2
    assert drain(buffer, 100) == b"ownmid"


def test_a_broadcast_that_has_begun_is_finished():
    buffer = SendBuffer()
    buffer.append(b"begun", tag="broadcast")
    buffer.append(b"old", tag="broadcast")
    buffer.sent(2)
    assert buffer.drop_broadcasts(100) == 1
    assert drain(buffer, 100) == b"gun"


def test_what_waits_is_dropped_but_not_what_has_begun():
    buffer = SendBuffer()
    buffer.append(b"begun")
    buffer.append(b"waits")
    buffer.sent(1)
    buffer.drop_waiting()
    buffer.append(b"!")
    assert drain(buffer, 100) == b"egun!"

    buffer = SendBuffer()
    buffer.append(b"waits")
    buffer.drop_waiting()
    assert not buffer
    assert buffer.size == 0
