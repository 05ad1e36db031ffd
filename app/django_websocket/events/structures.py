"""Dataclasses from the JSON of a client, by the types of their fields. Strict: "5" is no number."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import types
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.dateparse import parse_date, parse_datetime, parse_time
from django.utils.translation import gettext as _

__all__ = ["structure"]

#: Converts a value of JSON. Raises :class:`_WrongError`.
Convert = Callable[[Any], Any]


class _WrongError(Exception):
    """Sentences by the place in the value."""

    def __init__(self, found: dict[tuple[str, ...], str]) -> None:
        super().__init__()
        self.found = found


def structure(kind: type[Any]) -> Callable[[dict[str, Any]], Any]:
    """A function that makes a ``kind``, which is a dataclass, of a JSON object.

    It raises Django's ``ValidationError``, in which a place in a field is called
    ``lines.0.amount``. Raises ``TypeError`` if a field has a type that it cannot make.
    """
    convert = _dataclass(kind, {})

    def make(value: dict[str, Any]) -> Any:
        try:
            return convert(value)
        except _WrongError as error:
            raise ValidationError(
                {".".join(place) or NON_FIELD_ERRORS: text for place, text in error.found.items()}
            ) from None

    return make


def _wrong(sentence: str) -> _WrongError:
    return _WrongError({(): sentence})


def _dataclass(kind: type[Any], known: dict[Any, Convert]) -> Convert:
    if kind in known:  # it contains itself
        return known[kind]
    hints = get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    converters: dict[str, Convert] = {}

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong(_("Enter a valid value."))
        given: dict[str, Any] = {}
        found: dict[tuple[str, ...], str] = {}
        for field in fields:
            if field.name in value:
                _collect(given, found, field.name, converters[field.name], value[field.name])
            elif field.default is field.default_factory is dataclasses.MISSING:
                found[field.name,] = _("This field is required.")
        if found:
            raise _WrongError(found)
        try:
            return kind(**given)
        except ValueError as error:  # of its __post_init__, as pydantic and msgspec have it
            raise _wrong(str(error) or _("Enter a valid value.")) from None

    known[kind] = convert
    converters.update((field.name, _converter(hints[field.name], known)) for field in fields)
    return convert


def _collect(
    into: dict[Any, Any],
    found: dict[tuple[str, ...], str],
    place: Any,
    convert: Convert,
    value: Any,
) -> None:
    try:
        into[place] = convert(value)
    except _WrongError as error:
        found.update({(str(place), *rest): text for rest, text in error.found.items()})


def _converter(hint: Any, known: dict[Any, Convert]) -> Convert:
    """Raises ``TypeError``."""
    if hint is Any or hint is object:
        return lambda value: value
    if hint in _SCALARS:
        return _SCALARS[hint]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint, known)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _choice({member.value: member for member in hint})
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        return _union([_converter(argument, known) for argument in arguments])
    if origin is Literal:
        return _choice({argument: argument for argument in arguments})
    if origin is list:
        return _list(_converter(arguments[0] if arguments else Any, known))
    if origin is dict:
        return _dict(_converter(arguments[1] if arguments else Any, known))
    raise TypeError(f"expected a type that JSON can be converted to, found {hint!r}")


def _instance(kind: type[Any], sentence: str) -> Convert:
    def convert(value: Any) -> Any:
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        raise _wrong(_(sentence))

    return convert


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    raise _wrong(_("Enter a number."))


def _none(value: Any) -> None:
    if value is not None:
        raise _wrong(_("Enter a valid value."))


def _parsed(parse: Callable[[str], Any], sentence: str) -> Convert:
    def convert(value: Any) -> Any:
        try:
            found = parse(value) if isinstance(value, str) else None
        except (ValueError, ArithmeticError):
            found = None
        if found is None:
            raise _wrong(_(sentence))
        return found

    return convert


def _decimal(value: str) -> decimal.Decimal | None:
    found = decimal.Decimal(value)
    return found if found.is_finite() else None


#: Their sentences are those of Django's form fields, and translated as they are.
_SCALARS: dict[Any, Convert] = {
    str: _instance(str, "Enter a valid value."),
    bool: _instance(bool, "Enter a valid value."),
    int: _instance(int, "Enter a whole number."),
    float: _number,
    type(None): _none,
    datetime.date: _parsed(parse_date, "Enter a valid date."),
    datetime.datetime: _parsed(parse_datetime, "Enter a valid date/time."),
    datetime.time: _parsed(parse_time, "Enter a valid time."),
    decimal.Decimal: _parsed(_decimal, "Enter a number."),
    uuid.UUID: _parsed(uuid.UUID, "Enter a valid UUID."),
}


def _union(converters: list[Convert]) -> Convert:
    # None comes last: the first sentence is said, and that of None says the least.
    ordered = sorted(converters, key=lambda each: each is _none)

    def convert(value: Any) -> Any:
        wrong = None
        for each in ordered:
            try:
                return each(value)
            except _WrongError as error:
                wrong = wrong or error
        raise wrong or _wrong(_("Enter a valid value."))

    return convert


def _choice(choices: dict[Any, Any]) -> Convert:
    def convert(value: Any) -> Any:
        for given, chosen in choices.items():
            if type(given) is type(value) and given == value:
                return chosen
        sentence = _("Select a valid choice. %(value)s is not one of the available choices.")
        raise _wrong(sentence % {"value": str(value)[:100]})

    return convert


def _list(each: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            raise _wrong(_("Enter a list of values."))
        return [*_all(each, enumerate(value)).values()]

    return convert


def _dict(each: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong(_("Enter a valid value."))
        return _all(each, value.items())

    return convert


def _all(each: Convert, items: Any) -> dict[Any, Any]:
    given: dict[Any, Any] = {}
    found: dict[tuple[str, ...], str] = {}
    for place, value in items:
        _collect(given, found, place, each, value)
    if found:
        raise _WrongError(found)
    return given
