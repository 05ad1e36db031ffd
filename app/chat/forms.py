"""What a visitor may enter. One form renders the page's fields and validates the socket's input."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from .converters import JOINERS, slug
from .models import Message


class RoomForm(forms.Form):
    room = forms.CharField(
        label="Room", max_length=50, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def clean_room(self) -> str:
        room = slug(self.cleaned_data["room"])
        if not room:
            raise ValidationError("Use letters or digits, such as “coffee break”.")
        return room


#: Joiners where they belong: behind a letter, a mark or a sign, but no Latin letter.
JOINING = re.compile(f"(?<=[^\\u0000-\\u024f\\s])[{JOINERS}]")


class NameField(forms.CharField):
    """One line of visible characters, normalised by NFKC, so that look-alikes are the same."""

    def to_python(self, value: Any) -> str:
        return " ".join(unicodedata.normalize("NFKC", super().to_python(value) or "").split())

    def validate(self, value: str) -> None:
        super().validate(value)
        if not JOINING.sub("", value).isprintable():
            raise ValidationError("A name cannot contain invisible characters.")


class TextField(forms.CharField):
    """One or more lines of text."""

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")

    def validate(self, value: str) -> None:
        super().validate(value)
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in value if char not in "\n\t"):
            raise ValidationError("The message cannot contain control characters.")
        if not any(char.isprintable() for char in value):
            raise ValidationError(self.error_messages["required"], code="required")


class NameForm(forms.Form):
    """A visitor's name and colour; the name of a logged-in visitor is fixed."""

    name = NameField(
        max_length=32,
        error_messages={"required": "Enter a name."},
        widget=forms.TextInput(attrs={"autocomplete": "nickname", "spellcheck": "false"}),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, user: Any) -> None:
        super().__init__(data, label_suffix="")
        self.user = user
        if user.is_authenticated:
            # A disabled field keeps its initial value, whatever the client sends.
            self.fields["name"] = forms.CharField(disabled=True, initial=user.get_username())

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not self.user.is_authenticated and _is_taken(name):
            raise ValidationError("This name belongs to a member. Log in, or choose another.")
        return name


class MessageForm(NameForm):
    """A message with its author's name and colour."""

    colour = forms.CharField(
        validators=[RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", "Choose a colour such as #1a2b3c.")],
        error_messages={"required": "Choose a colour."},
        widget=forms.TextInput(attrs={"type": "color"}),
    )
    text = TextField(
        label="Message",
        max_length=1000,
        error_messages={"required": "Write something first."},
        widget=forms.Textarea(attrs={"rows": 1, "autocomplete": "off", "enterkeyhint": "send"}),
    )
    #: A client that gets no answer sends the message again with the same key.
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    field_order = ["colour", "name", "text"]

    def clean_colour(self) -> str:
        colour: str = self.cleaned_data["colour"]
        return colour.lower()


class OwnForm(forms.Form):
    """A message of the visitor's own, as ``message``."""

    id = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    #: With which a guest has sent it.
    key = forms.UUIDField(required=False)

    def __init__(self, data: Mapping[str, Any], *, user: Any, room: str) -> None:
        super().__init__(data)
        self._own = Message.objects.filter(room__slug=room).select_related("room"), user

    def clean(self) -> None:
        messages, user = self._own
        own = messages.written_by(user, self.cleaned_data.get("key"))
        found = own.filter(pk=self.cleaned_data.get("id", 0)).first()
        if found is None:
            raise ValidationError("This message is not yours, or it was deleted.")
        self.message: Message = found


class ChangeForm(OwnForm):
    """The new text of a message of the visitor's own."""

    text = TextField(max_length=1000, error_messages={"required": "Write something first."})


def _is_taken(name: str) -> bool:
    User = get_user_model()  # noqa: N806
    # SQLite's iexact ignores case in ASCII only, so the usual spellings are compared as well.
    name = re.sub(f"[{JOINERS}]", "", name)  # which nobody sees
    spellings = {name, name.lower(), name.upper(), name.capitalize(), name.title()}
    field = User.USERNAME_FIELD
    same = User.objects.filter(**{f"{field}__iexact": name})
    return (same | User.objects.filter(**{f"{field}__in": spellings})).exists()


class PageForm(forms.Form):
    """Which messages of a room are requested."""

    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
