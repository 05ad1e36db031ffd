import pytest
from websockets.frames import Frame, Opcode

from django_websocket.rfc6455 import frames
from support.frames import parse_frames


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("opcode", [frames.TEXT, frames.BINARY])
def test_a_message_is_the_frame_that_the_library_makes(opcode, length):
    payload = b"x" * length
    expected = Frame(Opcode(opcode), payload).serialize(mask=False)
    assert frames.encode_frame(opcode, payload) == expected


def test_a_control_frame_carries_at_most_125_bytes():
    assert parse_frames(frames.encode_frame(frames.PING, b"x" * 125)) == [(frames.PING, b"x" * 125)]
    with pytest.raises(ValueError, match="125 bytes, found 126"):
        frames.encode_frame(frames.CLOSE, b"x" * 126)


def test_ping_frame():
    assert parse_frames(frames.PING_FRAME) == [(frames.PING, b"")]
