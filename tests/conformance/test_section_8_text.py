"""RFC 6455 section 8.1: text is UTF-8."""

import pytest

from support.frames import CONTINUATION, TEXT, frame

WRONG = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xce"]


@pytest.mark.parametrize("data", WRONG)
def test_a_message_that_is_no_utf8(client, data):
    client.open("/echo").send(frame(TEXT, b"ok" + data))
    assert client.receive_close()[0] == 1007


@pytest.mark.parametrize("data", WRONG[:-1])
def test_a_fragment_that_can_never_be_utf8_is_not_waited_for(client, data):
    client.open("/echo").send(frame(TEXT, b"ok" + data, fin=False))
    assert client.receive_close()[0] == 1007


def test_a_character_may_be_cut_anywhere(client):
    text = "κόσμε 🎈".encode()
    client.open("/echo").send(
        *[frame(TEXT if not index else CONTINUATION, text[index : index + 1], fin=False)
          for index in range(len(text))],
        frame(CONTINUATION),
    )  # fmt: skip
    assert client.receive() == (TEXT, text)
