"""Dataclasses from JSON."""

import dataclasses
import datetime
import decimal
import enum
import uuid
from typing import Any, Literal, Optional

import pytest
from django.core.exceptions import ValidationError

from django_websocket.events.structures import structure


class Colour(enum.Enum):
    RED = "red"
    NONE = 0


@dataclasses.dataclass
class Line:
    amount: int
    note: str = ""


@dataclasses.dataclass
class Order:
    lines: list[Line]
    on: datetime.date | None = None
    at: datetime.datetime | None = None
    time: Optional[datetime.time] = None  # noqa: UP045
    price: decimal.Decimal = decimal.Decimal(0)
    weight: float = 0.0
    paid: bool = False
    number: uuid.UUID | None = None
    colour: Colour = Colour.RED
    size: Literal["S", "M", 1] = "M"
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    other: Any = None
    either: int | str = 0
    secret: str = dataclasses.field(default="kept", init=False)


@dataclasses.dataclass
class Tree:
    name: str
    children: list["Tree"] = dataclasses.field(default_factory=list)


make = structure(Order)


def errors(value, make=make):
    with pytest.raises(ValidationError) as caught:
        make(value)
    return {field: found[0] for field, found in caught.value.message_dict.items()}


def test_each_type():
    number = uuid.uuid4()
    order = make(
        {
            "lines": [{"amount": 2}, {"amount": 3, "note": "blue"}],
            "on": "2026-11-27",
            "at": "2026-11-27T23:00:00Z",
            "time": "23:00",
            "price": "1.50",
            "weight": 2,
            "paid": True,
            "number": str(number),
            "colour": 0,
            "size": 1,
            "tags": {"a": "b"},
            "other": [{}],
            "either": "five",
            "secret": "changed",
            "unknown": "ignored",
        }
    )
    assert order == Order(
        lines=[Line(2), Line(3, "blue")],
        on=datetime.date(2026, 11, 27),
        at=datetime.datetime(2026, 11, 27, 23, tzinfo=datetime.UTC),
        time=datetime.time(23),
        price=decimal.Decimal("1.50"),
        weight=2.0,
        paid=True,
        number=number,
        colour=Colour.NONE,
        size=1,
        tags={"a": "b"},
        other=[{}],
        either="five",
    )


def test_what_is_missing_has_its_default():
    assert make({"lines": []}) == Order(lines=[])
    assert make({"lines": [], "on": None}).on is None


def test_all_that_is_wrong_is_said_at_its_place():
    assert errors(
        {
            "lines": [{"amount": 1}, {"amount": "2"}, {}, 5],
            "on": "yesterday",
            "at": 5,
            "price": "NaN",
            "weight": True,
            "paid": "yes",
            "number": "5",
            "colour": "green",
            "size": True,
            "tags": {"a": 5},
            "either": [],
        }
    ) == {
        "lines.1.amount": "Enter a whole number.",
        "lines.2.amount": "This field is required.",
        "lines.3": "Enter a valid value.",
        "on": "Enter a valid date.",
        "at": "Enter a valid date/time.",
        "price": "Enter a number.",
        "weight": "Enter a number.",
        "paid": "Enter a valid value.",
        "number": "Enter a valid UUID.",
        "colour": "Select a valid choice. green is not one of the available choices.",
        "size": "Select a valid choice. True is not one of the available choices.",
        "tags.a": "Enter a valid value.",
        "either": "Enter a whole number.",
    }
    assert errors({"lines": {}}) == {"lines": "Enter a list of values."}
    assert errors({"lines": [], "tags": []}) == {"tags": "Enter a valid value."}
    assert errors({"lines": [{"amount": True}]}) == {"lines.0.amount": "Enter a whole number."}


def test_one_that_contains_itself():
    tree = structure(Tree)
    assert tree({"name": "a", "children": [{"name": "b"}]}) == Tree("a", [Tree("b")])
    assert errors({"name": "a", "children": [{}]}, tree) == {
        "children.0.name": "This field is required."
    }


def test_what_may_be_missing_says_what_it_may_be_else():
    for hint in (int | None, None | int, Optional[int]):  # noqa: UP045
        kind = dataclasses.make_dataclass("Optional", [("value", hint)])
        assert errors({"value": "x"}, structure(kind)) == {"value": "Enter a whole number."}


@dataclasses.dataclass
class Range:
    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low is above high")


def test_what_a_dataclass_finds_wrong_itself_is_said():
    assert errors({"low": 2, "high": 1}, structure(Range)) == {"__all__": "low is above high"}
    outer = structure(dataclasses.make_dataclass("Outer", [("ranges", list[Range])]))
    assert errors({"ranges": [{"low": 2, "high": 1}]}, outer) == {"ranges.0": "low is above high"}


@pytest.mark.parametrize("kind", [complex, set[int], list[complex], int | bytes])
def test_a_type_that_json_has_not_is_refused_at_once(kind):
    wrong = dataclasses.make_dataclass("Wrong", [("value", kind)])
    with pytest.raises(TypeError, match="expected a type that JSON can be converted to"):
        structure(wrong)


VALUES = [
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    "",
    "x",
    "0",
    "2026-99-99",
    [],
    [[]],
    {},
    {"a": {}},
    ["a"],
]


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Order)])
def test_whatever_comes_it_is_an_order_or_an_error(field):
    for value in VALUES:
        places = {field}
        try:
            assert isinstance(make({"lines": [], field: value}), Order)
        except ValidationError as error:
            places = {place.split(".")[0] for place in error.message_dict}
        assert places == {field}
