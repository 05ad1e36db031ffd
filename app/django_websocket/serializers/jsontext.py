"""JSON to and from clients (RFC 8259), without Django.

Both directions accept only what every client can read: no NaN, infinity or lone surrogates.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from reprlib import repr as short
from typing import Any, NoReturn, TypeAlias

from django_websocket.errors import InvalidJSON

__all__ = ["Dumps", "dumps", "loads", "make_dumps", "not_a_message"]

#: Serialises a value to JSON text.
Dumps: TypeAlias = Callable[[Any], str]

#: The types of the keys of a JSON object.
_KEYS = (str, int, float, bool, type(None))

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_NESTED = "is nested too deeply"


def make_dumps(default: Callable[[Any], Any] | None = None) -> Dumps:
    """Returns a function that serialises a value to JSON text.

    ``default`` is Python's: it converts a value that JSON does not support to one that it does, or
    raises ``TypeError``. The function raises ``TypeError`` for a value of another type, and
    ``ValueError`` for NaN, infinity, lone surrogates and a value that contains itself. Both name
    the place.
    """
    encode = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default
    ).encode

    def dumps(value: Any) -> str:
        try:
            text = encode(value)
            if not text.isascii():
                text.encode()
        except RecursionError as error:
            raise ValueError(f"the value {_NESTED} for JSON: send less of it") from error
        except (TypeError, ValueError) as error:
            for problem in _problems(value, default, "", ()):
                raise problem from error
            raise
        return text

    return dumps


#: :func:`make_dumps` without a ``default``: dicts, lists, tuples, texts, numbers, bool and None.
dumps = make_dumps()


def loads(message: str | bytes) -> Any:
    """The value of a client's message. Raises :class:`~django_websocket.errors.InvalidJSON`."""
    try:
        text = message if isinstance(message, str) else str(message, "utf-8")
        value = _decode(text)
        if _ESCAPED_SURROGATE.search(text):
            for problem in _problems(value, None, "", ()):
                raise problem
    except json.JSONDecodeError as error:
        raise InvalidJSON(error.msg, error.doc, error.pos) from None
    except RecursionError:
        raise InvalidJSON(f"The text {_NESTED}", _text(message)) from None
    except ValueError as error:  # not UTF-8, a number out of range, a lone surrogate
        raise InvalidJSON(str(error), _text(message)) from None
    return value


def not_a_message(value: Any) -> TypeError:
    """What ``send()`` raises for a value that is neither text nor bytes."""
    return TypeError(
        f"expected str or bytes, found {type(value).__name__}: to send it as JSON, use send_json()"
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("A number is out of range")
    return value


_decode = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite).decode


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else str(message, "utf-8", "replace")


def _problems(
    value: Any, default: Callable[[Any], Any] | None, place: str, around: tuple[int, ...]
) -> Iterator[Exception]:
    """What keeps ``value``, which stands at ``place``, from being JSON.

    ``around`` are the ids of the values that it is in.
    """
    if isinstance(value, str):
        if found := _SURROGATE.search(value):
            yield ValueError(
                f"expected text that UTF-8 can encode, found the lone surrogate {found[0]!r}"
                f"{_at(place)}: take it out, as value.encode(errors='replace').decode() does"
            )
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield ValueError(
                f"expected a finite number, found {value}{_at(place)}: JSON has no such number; "
                "send None or a string instead"
            )
    elif value is None or isinstance(value, int):
        return
    elif id(value) in around:
        yield ValueError(f"the value{_at(place)} contains itself, which JSON cannot represent")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _problems_of_key(key, place)
            yield from _problems(item, default, f"{place}[{short(key)}]", (*around, id(value)))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _problems(item, default, f"{place}[{number}]", (*around, id(value)))
    else:
        yield from _problems_of_other(value, default, place, around)


def _problems_of_key(key: Any, place: str) -> Iterator[Exception]:
    if isinstance(key, _KEYS):
        yield from _problems(key, None, f"{place}, as a key", ())
    else:
        found = f"{type(key).__name__} {short(key)}"
        yield TypeError(f"expected a str as key, found {found}{_at(place)}: write str(key)")


def _problems_of_other(
    value: Any, default: Callable[[Any], Any] | None, place: str, around: tuple[int, ...]
) -> Iterator[Exception]:
    kind = type(value).__name__
    try:
        known = default(value) if default is not None else None
    except ValueError as error:
        yield ValueError(f"{kind}{_at(place)}: {error}")
        return
    except TypeError:
        known = None
    if known is None:
        yield TypeError(
            f"expected a JSON-serialisable value, found {kind}{_at(place)}: convert it to a dict, "
            "a list, a str or a number"
        )
    else:
        yield from _problems(known, default, place, (*around, id(value)))


def _at(place: str) -> str:
    return f" at {place}" if place.startswith("[") else place
