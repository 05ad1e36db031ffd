"""JSON text without Django: what is refused, where, and in which words."""

import json

import pytest

from django_websocket.errors import InvalidJSON, WebSocketException
from django_websocket.serializers.jsontext import dumps, loads, make_dumps

DEEP = "[" * 100_000


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def contains_itself():
    value = {"rows": []}
    value["rows"].append(value)
    return value


@pytest.mark.parametrize(
    "value", ["Grüße 🙂", "", 7, 1.5, None, True, ["a", {"b": 1}], {}, {"1": [None]}, '"\\\x00']
)
def test_what_is_made_is_read(value):
    assert loads(dumps(value)) == json.loads(dumps(value)) == value


def test_the_text_is_short():
    assert dumps({"a": ["ä", 1]}) == '{"a":["ä",1]}'


@pytest.mark.parametrize(
    ("value", "error", "problem"),
    [
        (object(), TypeError, r"^expected a JSON-serialisable value, found object: convert it"),
        ({"rows": [1, {2}]}, TypeError, r"found set at \['rows'\]\[1\]: convert it"),
        (b"x", TypeError, "found bytes"),
        ({(1, 2): 3}, TypeError, r"expected a str as key, found tuple \(1, 2\): write str\(key\)"),
        ([{"a": {b"k": 3}}], TypeError, r"found bytes b'k' at \[0\]\['a'\]: write"),
        (float("nan"), ValueError, r"^expected a finite number, found nan: JSON has no"),
        ({"price": [-float("inf")]}, ValueError, r"found -inf at \['price'\]\[0\]: JSON has no"),
        ({float("nan"): 1}, ValueError, "found nan, as a key"),
        ("\ud83d", ValueError, r"found the lone surrogate '\\ud83d': take it out"),
        ({"text": "a\udc00b"}, ValueError, r"surrogate '\\udc00' at \['text'\]: take"),
        ({"a": {"\ud83d": 1}}, ValueError, r"surrogate .* at \['a'\], as a key: take"),
        (contains_itself(), ValueError, r"the value at \['rows'\]\[0\] contains itself"),
        (nested(100_000), ValueError, "nested too deeply for JSON"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_with_its_place(value, error, problem):
    with pytest.raises(error, match=problem):
        dumps(value)


def test_a_default_of_one_s_own():
    assert make_dumps(sorted)({"names": {"b", "a"}}) == '{"names":["a","b"]}'
    with pytest.raises(ValueError, match=r"found nan at \['sizes'\]\[0\]"):
        make_dumps(sorted)({"sizes": {float("nan")}})


def test_an_error_of_a_value_s_own_is_left_as_it_is():
    def default(value):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        make_dumps(default)([object()])


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("\ufeff1", "Expecting value"),
        (b"\xff", "invalid start byte"),
        ('["a"]'.encode("utf-16"), "invalid start byte"),
        ("NaN", "NaN is not valid JSON"),
        ("[-Infinity]", "-Infinity is not valid JSON"),
        ("[1e999]", "out of range"),
        ("1" * 5000, "limit"),
        (DEEP, "nested too deeply"),
        (r'{"a": ["\ud83d"]}', r"lone surrogate '\\ud83d' at \['a'\]\[0\]"),
        (r'{"\uDC00": 1}', "as a key"),
        ('[' * 5000 + r'"\ud83d"' + ']' * 5000, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_no_client_may_send(message, problem):
    with pytest.raises(InvalidJSON, match=problem) as caught:
        loads(message)
    assert isinstance(caught.value, json.JSONDecodeError)  # which is a ValueError
    assert isinstance(caught.value, WebSocketException)


def test_where_decoding_failed():
    with pytest.raises(InvalidJSON) as caught:
        loads('{"a": 1]')
    assert (caught.value.doc, caught.value.pos) == ('{"a": 1]', 7)


@pytest.mark.parametrize("message", ['"🙂"', r'"\ud83d\ude42"', '"🙂"'.encode()])
def test_a_whole_pair_of_surrogates_is_a_character(message):
    assert loads(message) == "🙂"


def test_numbers():
    assert loads("[1, -2.5e3, 0.1]") == [1, -2500.0, 0.1]
