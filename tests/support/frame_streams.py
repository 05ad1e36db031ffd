"""Random frame streams, and what the ``websockets`` library alone makes of them.

:func:`streams` yields what a client might send, from the well-behaved to the broken, cut at random
places. :func:`by_library` is the yardstick for :class:`django_websocket.protocol.Protocol`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from django_websocket.protocol import Protocol

from .frames import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, close_frame, frame

MAX_SIZE = 1500


@dataclass
class Outcome:
    messages: list[str | bytes] = field(default_factory=list)
    sent: bytes = b""
    ended: bool = False
    close_code: int | None = None


def by_engine(chunks: list[bytes], batch: int = 64, room: int = 1 << 30) -> Outcome:
    protocol, outcome = Protocol(MAX_SIZE, batch), Outcome()
    for chunk in chunks:
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


def by_library(chunks: list[bytes]) -> Outcome:
    library, outcome = ServerProtocol(state=State.OPEN, max_size=MAX_SIZE), Outcome()
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


# A short pattern and a length make a long payload of few choices, which keeps the search quick.
_keys = st.sampled_from([bytes(4), b"\xff\x00\xff\x00", KEY, b"\x01\x02\x03\x04"])
_lengths = st.one_of(st.integers(0, 8), st.sampled_from([124, 125, 126, 127, 200, 500]))
_text = st.builds(lambda text, count: (text * count).encode(), st.text(max_size=3), _lengths)
_bytes = st.builds(lambda data, count: data * count, st.binary(max_size=2), _lengths)
_controls = st.one_of(
    st.builds(lambda data, key: frame(PING, data[:125], key=key), _bytes, _keys),
    st.builds(lambda data, key: frame(PONG, data[:125], key=key), _bytes, _keys),
)
_whole = st.one_of(
    st.builds(lambda data, key: frame(TEXT, data, key=key), _text, _keys),
    st.builds(lambda data, key: frame(BINARY, data, key=key), _bytes, _keys),
)


@st.composite
def _fragmented(draw: st.DrawFn) -> bytes:
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    data = draw(_text if opcode == TEXT else _bytes)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    edges = [0, *cuts, len(data)]
    frames = []
    for index, (start, stop) in enumerate(itertools.pairwise(edges)):
        fin = index == len(edges) - 2
        kind = CONTINUATION if index else opcode
        frames.append(frame(kind, data[start:stop], fin=fin, key=draw(_keys)))
        if not fin and draw(st.booleans()):
            frames.append(draw(_controls))
    return b"".join(frames)


_broken = st.one_of(
    st.builds(lambda data: frame(TEXT, data, key=None), _text),  # not masked
    st.builds(lambda opcode: frame(opcode, b"x"), st.sampled_from([3, 7, 11, 15])),  # reserved
    st.builds(lambda rsv: frame(BINARY, b"x", rsv=rsv), st.integers(1, 7)),
    st.builds(lambda data: frame(CONTINUATION, data), _bytes),  # nothing to continue
    st.builds(lambda: frame(PING, b"x", fin=False)),
    st.builds(lambda: frame(PING, b"x" * 126)),
    st.builds(lambda: frame(BINARY, b"", length=MAX_SIZE + 1)),
    st.builds(lambda: frame(BINARY, b"", length=1 << 63)),
    st.builds(lambda: frame(CLOSE, b"x")),
    st.builds(close_frame, st.sampled_from([999, 1004, 1005, 1006, 2000, 5000])),
)
_ends = st.builds(close_frame, st.sampled_from([1000, 1001, 1011, 3000, 4999]), st.text(max_size=9))


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """What a client sends, in the pieces in which it arrives."""
    items = draw(st.lists(st.one_of(_whole, _fragmented(), _controls), max_size=8))
    items += draw(st.lists(st.one_of(_ends, _broken), max_size=1))
    items += draw(st.lists(_whole, max_size=2))
    stream = b"".join(items)
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=10))
    edges = [0, *sorted(cuts), len(stream)]
    return [stream[start:stop] for start, stop in itertools.pairwise(edges)]
