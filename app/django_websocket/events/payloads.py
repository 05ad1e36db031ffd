"""What a client sends with an event, validated by what the handler's annotation names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms import BaseForm, Field, JSONField
from django.utils.translation import gettext as _

from django_websocket.serializers.jsontext import dumps

from .structures import structure

__all__ = ["Convert", "converter", "errors_of"]

#: Makes what the handler gets of a JSON object. Raises Django's ``ValidationError``.
Convert = Callable[[dict[str, Any]], Any]

#: Annotations that ask for no validation.
_PLAIN = (Any, object, dict, dict[str, Any])


def converter(annotation: Any) -> Convert:
    """The function for an annotation: a form's class, a dataclass, a pydantic model, a
    ``msgspec.Struct``; ``dict`` or ``Any`` is the JSON object as it is.

    Raises ``TypeError`` for anything else.
    """
    if annotation in _PLAIN:
        return lambda payload: payload
    if isinstance(annotation, type):
        if issubclass(annotation, BaseForm):
            return _form(annotation)
        if hasattr(annotation, "__pydantic_validator__"):
            return _pydantic(annotation)
        if hasattr(annotation, "__struct_fields__"):
            return _msgspec(annotation)
        if dataclasses.is_dataclass(annotation):
            return structure(annotation)
    raise TypeError(
        "expected a form's class, a dataclass, a pydantic model, a msgspec.Struct or dict as the "
        f"annotation of the payload, found {annotation!r}"
    )


def errors_of(form: BaseForm) -> ValidationError:
    """The errors of a form that is not valid."""
    return ValidationError(form.errors.as_data())


def _form(kind: type[BaseForm]) -> Convert:
    def convert(payload: dict[str, Any]) -> BaseForm:
        form = kind(payload)
        _check_values(form, payload)
        if not form.is_valid():
            raise errors_of(form)
        return form

    return convert


def _check_values(form: BaseForm, payload: dict[str, Any]) -> None:
    """A page's form sends texts: most fields would take the ``str()`` of a list for one."""
    wrong = {}
    for key, value in payload.items():
        # A widget of several inputs has names of its own for them, such as "day_0", "day_year".
        parts_of = (name for name in form.fields if key.startswith(f"{name}_"))
        name = key if key in form.fields else next(parts_of, None)
        if name is not None and not _takes(form.fields[name], value):
            wrong[name] = _("Enter a valid value.")
    if wrong:
        raise ValidationError(wrong)


def _takes(field: Field, value: Any) -> bool:
    if isinstance(field, JSONField) or not isinstance(value, dict | list):
        return True
    return isinstance(value, list) and getattr(field.widget, "allow_multiple_selected", False)


def _pydantic(kind: type[Any]) -> Convert:
    from pydantic import TypeAdapter
    from pydantic import ValidationError as PydanticError

    # From text: a model in strict mode takes an ISO date from JSON only.
    validate = TypeAdapter(kind).validate_json

    def convert(payload: dict[str, Any]) -> Any:
        try:
            return validate(dumps(payload))
        except PydanticError as error:
            found: dict[str, list[str]] = {}
            for each in error.errors(include_url=False, include_context=False, include_input=False):
                place = ".".join(map(str, each["loc"])) or NON_FIELD_ERRORS
                found.setdefault(place, []).append(each["msg"])
            raise ValidationError(found) from None

    return convert


#: How msgspec says what is wrong, and where.
_MSGSPEC = re.compile(r"(?P<text>.*?)(?: - at `(?:key in )?\$\.?(?P<place>.*)`)?", re.DOTALL)
_MSGSPEC_MISSING = re.compile(r"Object missing required field `(.*)`")


def _msgspec(kind: type[Any]) -> Convert:
    import msgspec

    def convert(payload: dict[str, Any]) -> Any:
        try:
            return msgspec.convert(payload, kind)
        except msgspec.ValidationError as error:
            found = _MSGSPEC.fullmatch(str(error))
            text, place = (found["text"], found["place"] or "") if found else (str(error), "")
            place = re.sub(r"\[(\d+)\]", r".\1", place).replace("[...]", "")
            if missing := _MSGSPEC_MISSING.fullmatch(text):
                text, place = _("This field is required."), f"{place}.{missing[1]}".lstrip(".")
            raise ValidationError({place or NON_FIELD_ERRORS: text}) from None

    return convert
