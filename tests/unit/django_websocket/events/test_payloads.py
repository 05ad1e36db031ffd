"""The annotation of a handler's payload says how it is validated."""

import dataclasses
import datetime
from typing import Any

import msgspec
import pydantic
import pytest
from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from django_websocket.events.payloads import converter, errors_of


class Form(forms.Form):
    text = forms.CharField()
    number = forms.IntegerField(required=False)
    colours = forms.MultipleChoiceField(choices=[("r", "Red"), ("b", "Blue")], required=False)
    data = forms.JSONField(required=False)
    agreed = forms.BooleanField(required=False)


class GroupForm(forms.ModelForm):
    class Meta:
        model = Group
        fields = ["name"]


@dataclasses.dataclass
class Data:
    text: str
    on: datetime.date | None = None


class Inner(pydantic.BaseModel):
    n: int


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    text: str
    on: datetime.date | None = None
    rows: list[Inner] = []

    @pydantic.model_validator(mode="after")
    def check(self):
        if self.text == "same":
            raise ValueError("the same")
        return self


@pydantic.dataclasses.dataclass
class PydanticData:
    text: str


class Row(msgspec.Struct):
    n: int


class Struct(msgspec.Struct):
    text: str
    on: datetime.date | None = None
    rows: list[Row] = []
    words: dict[str, int] = {}


def errors(kind, value):
    with pytest.raises(ValidationError) as caught:
        converter(kind)(value)
    return caught.value.message_dict


def test_a_form():
    form = converter(Form)(
        {
            "text": "a",
            "number": 5,
            "colours": ["r", "b"],
            "data": {"a": [1]},
            "agreed": True,
            "x": 1,
        }
    )
    assert form.cleaned_data == {
        "text": "a", "number": 5, "colours": ["r", "b"], "data": {"a": [1]}, "agreed": True,
    }  # fmt: skip
    assert errors(Form, {"number": "x"}) == {
        "text": ["This field is required."],
        "number": ["Enter a whole number."],
    }


@pytest.mark.parametrize(
    "value", [{"text": ["a"]}, {"text": {"a": 1}}, {"text": "a", "colours": {"r": 1}}]
)
def test_a_list_is_no_text_of_a_form(value):
    assert [*errors(Form, value).values()] == [["Enter a valid value."]]


class Parts(forms.Form):
    at = forms.SplitDateTimeField()
    at_all = forms.JSONField()
    day = forms.DateField(widget=forms.SelectDateWidget())


def test_the_inputs_of_one_field():
    right = {"at_0": "2026-11-27", "at_1": "23:00", "at_all": [{}],
             "day_year": "2026", "day_month": 11, "day_day": 27}  # fmt: skip
    assert converter(Parts)(right).cleaned_data["day"] == datetime.date(2026, 11, 27)
    for part, name in (("at_0", "at"), ("day_year", "day")):
        for nested in ([1], {"a": 1}):
            assert errors(Parts, right | {part: nested}) == {name: ["Enter a valid value."]}


@pytest.mark.django_db
def test_a_model_form():
    converter(GroupForm)({"name": "editors"}).save()
    assert errors(GroupForm, {"name": "editors"}) == {
        "name": ["Group with this Name already exists."]
    }


def test_the_errors_of_a_form():
    found = errors_of(Form({"text": "", "number": "x"}))
    assert found.message_dict.keys() == {"text", "number"}
    assert found.error_dict["text"][0].code == "required"


def test_a_dataclass():
    assert converter(Data)({"text": "a", "on": "2026-11-27"}).on == datetime.date(2026, 11, 27)
    assert errors(Data, {}) == {"text": ["This field is required."]}


def test_pydantic():
    model = converter(Model)({"text": "a", "on": "2026-11-27", "rows": [{"n": 1}]})
    assert model == Model(text="a", on=datetime.date(2026, 11, 27), rows=[Inner(n=1)])
    assert errors(Model, {"rows": [{"n": 1}, {"n": "x"}]}) == {
        "text": ["Field required"],
        "rows.1.n": ["Input should be a valid integer, unable to parse string as an integer"],
    }
    assert errors(Model, {"text": "same"}) == {"__all__": ["Value error, the same"]}
    assert converter(PydanticData)({"text": "a"}) == PydanticData(text="a")


def test_msgspec():
    found = converter(Struct)({"text": "a", "on": "2026-11-27", "rows": [{"n": 1}]})
    assert found == Struct("a", datetime.date(2026, 11, 27), [Row(1)])
    assert errors(Struct, {}) == {"text": ["This field is required."]}
    assert errors(Struct, {"text": "a", "rows": [{"n": 1}, {}]}) == {
        "rows.1.n": ["This field is required."]
    }
    assert errors(Struct, {"text": 5}) == {"text": ["Expected `str`, got `int`"]}
    assert errors(Struct, {"text": "a", "words": {"a": "b"}}).keys() == {"words"}


@pytest.mark.parametrize("annotation", [Any, object, dict, dict[str, Any]])
def test_the_object_as_it_is(annotation):
    value = {"a": [1]}
    assert converter(annotation)(value) is value


@pytest.mark.parametrize("annotation", [int, str, list, Form | None, Form({}), "Form"])
def test_anything_else_is_refused_at_once(annotation):
    with pytest.raises(TypeError, match="as the annotation of the payload, found"):
        converter(annotation)
