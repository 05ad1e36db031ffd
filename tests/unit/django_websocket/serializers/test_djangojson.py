"""JSON text of what Django people put in."""

import dataclasses
import datetime
import json
import uuid

import pytest
from django import forms
from django.contrib.auth.models import User
from django.db import models
from django.http import QueryDict
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from django_websocket.serializers.djangojson import dumps
from support.site.values import SEEN, VALUES


class Colour(models.TextChoices):
    RED = "r"


@dataclasses.dataclass
class Point:
    x: int


class PointForm(forms.Form):
    x = forms.IntegerField()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (VALUES, SEEN),
        (Colour.RED, "r"),
        (lazystr("a"), "a"),
        (mark_safe("<b>"), "<b>"),
        (QueryDict("a=1&a=2"), {"a": "2"}),
        (PointForm({}).errors, {"x": ["This field is required."]}),
    ],
)
def test_it_is_what_django_makes_of_it(value, found):
    assert json.loads(dumps(value)) == found


@pytest.mark.parametrize(
    ("value", "error", "problem"),
    [
        ({"user": User()}, TypeError, r"found User at \['user'\]"),
        ({"rows": User.objects.none()}, TypeError, r"found QuerySet at \['rows'\]"),
        ([Point(1)], TypeError, r"found Point at \[0\]"),
        ({uuid.UUID(int=7): 1}, TypeError, r"expected a str as key, found UUID .*: write str"),
        ({"at": datetime.time(1, tzinfo=datetime.UTC)}, ValueError, r"time at \['at'\]: .*aware"),
        ({"title": lazystr("\ud83d")}, ValueError, r"lone surrogate .* at \['title'\]"),
    ],
)
def test_what_is_refused_is_named_with_its_place(value, error, problem):
    with pytest.raises(error, match=problem):
        dumps(value)
