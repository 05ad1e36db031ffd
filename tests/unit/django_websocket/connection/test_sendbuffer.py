import random
import time

import pytest

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
    assert buffer.chunk() is long


def test_the_oldest_broadcasts_are_dropped():
    buffer = SendBuffer()
    for frame, tag in [(b"own", None), (b"old", "a"), (b"mid", "b"), (b"new", "a")]:
        buffer.append(frame, tag=tag)
    assert buffer.drop_oldest(4) == 2
    assert buffer.size == 6
    assert drain(buffer, 100) == b"ownnew"


def oldest(buffer, number):
    assert buffer.drop_oldest(5) == 1
    buffer.append(b"frame", tag="broadcast")


def tagged(buffer, number):
    buffer.drop_tagged(number)
    buffer.append(b"frame", tag=number)


@pytest.mark.parametrize(
    ("broadcast", "tags"),
    [(oldest, lambda _: "broadcast"), (tagged, lambda number: number)],
    ids=["oldest", "tagged"],
)
def test_dropping_takes_no_longer_on_a_buffer_with_more_frames(broadcast, tags):
    """Or one client that does not read would cost the others time with every broadcast."""

    def cost(frames):
        buffer = SendBuffer()
        for number in range(frames):
            buffer.append(b"frame", tag=tags(number))
        before = time.process_time()
        for number in range(100):
            broadcast(buffer, number)
        return time.process_time() - before

    few, many = (min(cost(frames) for _ in range(3)) for frames in (200, 50_000))
    assert many < 10 * few


def test_a_client_that_never_reads_costs_no_more_memory_with_each_replaced_broadcast():
    buffer = SendBuffer()
    buffer.append(b"own")
    for number in range(10_000):
        assert buffer.drop_tagged("a") == (number > 0)
        buffer.append(b"%d" % number, tag="a")
    assert len(buffer._frames) < 10
    assert drain(buffer, 100) == b"own9999"


def test_broadcasts_of_a_tag_that_none_has_are_not_dropped():
    buffer = SendBuffer()
    buffer.append(b"own")
    buffer.append(b"broadcast", tag="a")
    assert buffer.drop_tagged("b") == buffer.drop_tagged(None) == 0
    assert drain(buffer, 100) == b"ownbroadcast"


class Plain:
    """The same in the plainest form: lists of [frame, tag, how many bytes have left]."""

    def __init__(self):
        self.frames, self.held = [], 0

    def append(self, frame, tag):
        self.frames.append([frame, tag, 0])

    def sent(self, count):
        self.held = max(0, self.held - count)
        while count:
            first = self.frames[0]
            left = min(count, len(first[0]) - first[2])
            first[2] += left
            count -= left
            if first[2] == len(first[0]):
                del self.frames[0]
        if self.frames and self.frames[0][2]:
            self.held = max(self.held, 1)

    def drop(self, wanted, room=None):
        position, kept, number = 0, [], 0
        for item in self.frames:
            begun = position < self.held
            position += len(item[0]) - item[2]
            if begun or not wanted(item[1]) or (room is not None and room <= 0):
                kept.append(item)
            else:
                number += 1
                room = None if room is None else room - len(item[0])
        self.frames = kept
        return number

    @property
    def rest(self):
        return b"".join(frame[left:] for frame, _, left in self.frames)


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_calls(seed):
    chance, buffer, plain = random.Random(seed), SendBuffer(), Plain()

    def append():
        frame = b"%d." % chance.randrange(10**8)
        tag = chance.choice([None, "a", "b", ("c", 1)])
        buffer.append(frame, tag=tag)
        plain.append(frame, tag)

    def send():
        if buffer:
            count = chance.randrange(len(buffer.chunk()) + 1)
            buffer.sent(count)
            plain.sent(count)

    def hold():
        count = chance.randrange(20)
        buffer.hold(count)
        plain.held = max(plain.held, min(count, len(plain.rest)))

    def drop_oldest():
        room = chance.randrange(30)
        expected = plain.drop(lambda tag: tag is not None, room)
        assert buffer.drop_oldest(room) == expected

    def drop_tagged():
        wanted = chance.choice(["a", "b", ("c", 1), "none has it", None])
        expected = plain.drop(lambda tag: tag is not None and tag == wanted)
        assert buffer.drop_tagged(wanted) == expected

    def drop_waiting():
        buffer.drop_waiting()
        plain.drop(lambda tag: True)

    calls = [append] * 6 + [send, hold, drop_oldest, drop_tagged, drop_tagged, drop_waiting]
    for _ in range(500):
        chance.choice(calls)()
        assert buffer.size == len(plain.rest)
        assert bool(buffer) == bool(plain.rest)
    assert drain(buffer, 1000) == plain.rest


def test_broadcasts_with_one_tag_are_dropped():
    buffer = SendBuffer()
    for frame, tag in [(b"own", None), (b"old", "a"), (b"mid", "b"), (b"new", "a")]:
        buffer.append(frame, tag=tag)
    assert buffer.drop_tagged("a") == 2
    assert drain(buffer, 100) == b"ownmid"


def test_a_broadcast_that_has_begun_is_finished():
    buffer = SendBuffer()
    buffer.append(b"begun", tag="broadcast")
    buffer.append(b"old", tag="broadcast")
    buffer.sent(2)
    assert buffer.drop_oldest(100) == 1
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
