import math

from django_websocket.connection.sendbuffer import SendBuffer


def drain(outbound, step):
    data = b""
    while outbound:
        piece = bytes(outbound.chunk())[:step]
        outbound.sent(len(piece))
        data += piece
    assert outbound.size == 0
    return data


def test_bytes_leave_in_order_however_few_at_a_time():
    for step in (1, 2, 3, 100):
        outbound = SendBuffer()
        outbound.append(b"-abc", sent=1)
        outbound.append(b"defg", tag="broadcast")
        outbound.append(b"h")
        assert outbound.size == 8
        assert drain(outbound, step) == b"abcdefgh"


def test_long_frames_leave_without_a_copy():
    outbound = SendBuffer()
    long = b"x" * 1_000_000
    outbound.append(long)
    outbound.append(b"y")
    assert outbound.chunk().obj is long


def test_the_oldest_broadcasts_are_dropped():
    outbound = SendBuffer()
    for frame, tag in [(b"own", None), (b"old", "a"), (b"mid", "b"), (b"new", "a")]:
        outbound.append(frame, tag=tag)
    assert outbound.drop_broadcasts(4) == 2
    assert outbound.size == 6
    assert drain(outbound, 100) == b"ownnew"


def test_broadcasts_with_one_tag_are_dropped():
    outbound = SendBuffer()
    for frame, tag in [(b"own", None), (b"old", "a"), (b"mid", "b"), (b"new", "a")]:
        outbound.append(frame, tag=tag)
    assert outbound.drop_broadcasts(math.inf, "a") == 2
    assert drain(outbound, 100) == b"ownmid"


def test_a_broadcast_that_has_begun_is_finished():
    outbound = SendBuffer()
    outbound.append(b"begun", tag="broadcast")
    outbound.append(b"old", tag="broadcast")
    outbound.sent(2)
    assert outbound.drop_broadcasts(100) == 1
    assert drain(outbound, 100) == b"gun"


def test_what_waits_is_dropped_but_not_what_has_begun():
    outbound = SendBuffer()
    outbound.append(b"begun")
    outbound.append(b"waits")
    outbound.sent(1)
    outbound.drop_waiting()
    outbound.append(b"!")
    assert drain(outbound, 100) == b"egun!"

    outbound = SendBuffer()
    outbound.append(b"waits")
    outbound.drop_waiting()
    assert not outbound
    assert outbound.size == 0
