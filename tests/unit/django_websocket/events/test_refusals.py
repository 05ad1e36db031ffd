"""Which exception of a handler is answered, and how."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.utils import translation
from django.utils.translation import gettext_lazy

from django_websocket.errors import TooManyChannels
from django_websocket.events.refusals import refusal_of

TAKEN = "That name is taken."


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ValidationError(TAKEN), "invalid", TAKEN),
        (ValidationError(TAKEN, code="taken"), "taken", TAKEN),
        (ValidationError("%(n)s left.", params={"n": 2}), "invalid", "2 left."),
        (ValidationError(["One.", "Two."]), "invalid", "One. Two."),
        (PermissionDenied(), "forbidden", "You do not have permission to do that."),
        (PermissionDenied("Only the owner may."), "forbidden", "Only the owner may."),
        (Http404("No Room matches the given query."), "not_found", "This does not exist."),
        (TooManyChannels(), "too_many_channels", "You follow too many channels."),
    ],
)
def test_a_refusal_has_a_code_and_a_sentence(error, code, message):
    assert refusal_of(error) == {"code": code, "message": message}


def test_sentences_by_field():
    errors = {"title": ["Too short.", "Too dull."], "__all__": "Not now."}
    assert refusal_of(ValidationError(errors)) == {
        "code": "invalid",
        "message": "title: Too short. title: Too dull. Not now.",
        "fields": {"title": ["Too short.", "Too dull."], "__all__": ["Not now."]},
    }


def test_in_the_language_of_the_moment():
    with translation.override("de"):
        error = refusal_of(ValidationError({"a": gettext_lazy("This field is required.")}))
    assert error["fields"] == {"a": ["Dieses Feld ist zwingend erforderlich."]}


@pytest.mark.parametrize("error", [RuntimeError("secret"), KeyError("id"), OSError()])
def test_a_bug_is_none(error):
    assert refusal_of(error) is None
