"""Random frame streams, and what the ``websockets`` library alone makes of them.

:func:`stream` makes one. :func:`by_library` is the yardstick for
:class:`django_websocket.rfc6455.protocol.Protocol`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from random import Random

from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from django_websocket.rfc6455.protocol import Protocol

from .frames import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, close_frame, frame

#: No well-behaved message comes near it: there the library counts a ping between two fragments
#: towards the message, and we do not.
MAX_SIZE = 2500


@dataclass
class Outcome:
    messages: list[str | bytes] = field(default_factory=list)
    sent: bytes = b""
    ended: bool = False
    close_code: int | None = None


def by_engine(
    chunks: list[bytes], batch: int = 64, room: int = 1 << 30, max_size: int = MAX_SIZE
) -> Outcome:
    protocol, outcome = Protocol(max_size, batch), Outcome()
    for chunk in chunks:
        message = protocol.read_whole(chunk)
        if message is not None:
            outcome.messages.append(message)
            continue
        waiting: list[str | bytes] = []
        protocol.feed(chunk, waiting, room)
        outcome.messages += waiting
        while protocol.backlog and not protocol.finished:
            waiting = []
            protocol.feed(b"", waiting, room)
            outcome.messages += waiting
    outcome.sent = b"".join(protocol.replies)
    outcome.ended = protocol.finished
    outcome.close_code = protocol.close_code
    return outcome


def by_library(chunks: list[bytes], max_size: int = MAX_SIZE) -> Outcome:
    library, outcome = ServerProtocol(state=State.OPEN, max_size=max_size), Outcome()
    pieces: list[bytes] = []
    is_text = False
    for chunk in chunks:
        library.receive_data(chunk)
        for event in library.events_received():
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                is_text = event.opcode is Opcode.TEXT
            elif event.opcode is not Opcode.CONT:
                continue
            pieces.append(bytes(event.data))
            if event.fin:
                data, pieces = b"".join(pieces), []
                outcome.messages.append(data.decode() if is_text else data)
    sent = library.data_to_send()
    outcome.sent = b"".join(sent)
    outcome.ended = library.eof_sent
    if library.state is not State.OPEN:
        first = library.close_rcvd if library.close_rcvd_then_sent else library.close_sent
        outcome.close_code = first and int(first.code)
    return outcome


# Beside the short ones, the lengths around which the header changes its shape.
_LENGTHS = [*range(9), 124, 125, 126, 127, 200, 500]
_CHARACTERS = "aé€🎈"


def stream(random: Random) -> list[bytes]:
    """What a client sends, from the well-behaved to the broken, in pieces as they arrive."""
    items = [random.choice(_USUAL)(random) for _ in range(random.randrange(9))]
    if random.random() < 0.6:
        items.append(random.choice(_LAST)(random))
        items += [_whole(random) for _ in range(random.randrange(3))]
    return _cut(random, b"".join(items))


#: The most that a message of :func:`large_stream` has.
LARGEST = 200_000


def large_stream(random: Random) -> list[bytes]:
    """Large messages and a small one, and perhaps the end."""
    items = [_large(random) for _ in range(random.randrange(1, 3))]
    items.insert(random.randrange(len(items) + 1), _whole(random))
    items.append(random.choice([b"", _control(random), _close(random)]))
    return _cut(random, b"".join(items))


def _large(random: Random) -> bytes:
    opcode, length = (
        random.choice([TEXT, BINARY]),
        random.choice([70_000, 131_071, 131_072, LARGEST - 20]),
    )
    start = random.randrange(length)
    payload = bytearray(b"a" * length)
    other = random.choice([b"", *(each.encode() for each in _CHARACTERS)])
    payload[start:start] = other
    return frame(opcode, bytes(payload), key=_key(random))


def _cut(random: Random, data: bytes) -> list[bytes]:
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(11)))
    return [data[start:stop] for start, stop in itertools.pairwise([0, *cuts, len(data)])]


def _payload(random: Random, opcode: int) -> bytes:
    length = random.choice(_LENGTHS)
    if opcode == TEXT:
        return (random.choice(_CHARACTERS) * length).encode()
    return bytes([random.randrange(256)]) * length


def _key(random: Random) -> bytes:
    return random.choice([bytes(4), b"\xff\x00\xff\x00", KEY, b"\x01\x02\x03\x04"])


def _whole(random: Random) -> bytes:
    opcode = random.choice([TEXT, BINARY])
    return frame(opcode, _payload(random, opcode), key=_key(random))


def _control(random: Random) -> bytes:
    return frame(random.choice([PING, PONG]), _payload(random, BINARY)[:125], key=_key(random))


def _fragmented(random: Random) -> bytes:
    opcode = random.choice([TEXT, BINARY])
    data = _payload(random, opcode)
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(5)))
    pieces = [data[start:stop] for start, stop in itertools.pairwise([0, *cuts, len(data)])]
    frames = []
    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        frames.append(frame(CONTINUATION if index else opcode, piece, fin=last, key=_key(random)))
        if not last and random.random() < 0.5:
            frames.append(_control(random))
    return b"".join(frames)


def _broken(random: Random) -> bytes:
    return random.choice(
        [
            frame(TEXT, "not masked", key=None),
            frame(random.choice([3, 7, 11, 15]), b"reserved opcode"),
            frame(BINARY, b"reserved bits", rsv=random.randrange(1, 8)),
            frame(CONTINUATION, b"of nothing"),
            frame(PING, b"in two", fin=False),
            frame(PING, b"x" * 126),
            frame(BINARY, length=MAX_SIZE + 1),
            frame(BINARY, length=1 << 63),
            frame(CLOSE, b"x"),
            close_frame(random.choice([999, 1004, 1005, 1006, 2000, 5000])),
            frame(TEXT, b"in a message", fin=False) + frame(TEXT, b"another"),
        ]
    )


def _close(random: Random) -> bytes:
    return close_frame(random.choice([1000, 1001, 1011, 3000, 4999]), random.choice(_CHARACTERS))


_USUAL = [_whole, _whole, _fragmented, _control]
_LAST = [_close, _broken, _broken]
