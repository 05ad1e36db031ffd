import json
from functools import partial

import pytest

from django_websocket.pubsub.frames import frame_of
from django_websocket.pubsub.message import Message, encode, make_id, pack
from django_websocket.rfc6455.frames import encode_frame

calls = []


def note(message):
    calls.append(message.id)
    return message.data


def message(value):
    return Message("room", make_id(1767225600000, 7), pack(value))


def test_a_frame_is_made_once_for_all_who_name_the_same_function():
    once = message("x")
    before = len(calls)
    assert frame_of(once, note, None) is frame_of(once, note, None)
    assert len(calls) == before + 1
    assert frame_of(once, note, 15) != frame_of(once, note, None)  # compressed


@pytest.mark.parametrize("own", [lambda message: "x", partial(encode)])
def test_what_only_one_socket_may_have_is_not_kept(own):
    once = message("x")
    assert frame_of(once, own, None)
    assert once.frames == {}


def test_text_goes_as_text_and_bytes_as_binary():
    assert frame_of(message("x"), note, None) == encode_frame(1, b"x")
    for value in (b"x", bytearray(b"x"), memoryview(b"x")):
        assert frame_of(message("x"), lambda m, v=value: v, None) == encode_frame(2, b"x")


@pytest.mark.parametrize("value", [None, 7, {"a": 1}])
def test_anything_else_is_an_error_that_says_so(value):
    with pytest.raises(TypeError, match="expected str or bytes from encode, found"):
        frame_of(message("x"), lambda m: value, None)


def test_a_gap_is_told_as_ever():
    frame = frame_of(Message("room", make_id(1, 1), None), lambda m: "own", None)
    assert json.loads(frame[2:])["gap"] is True
