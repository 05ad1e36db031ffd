"""A bell that rings in all windows of a user: log in, and write to yourself."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest

from django_websocket import WebSocket, publish_to_user, websocket_events

#: How many notes a bell keeps for a window that opens later.
KEPT = 50


class NoteForm(forms.Form):
    to = forms.ModelChoiceField(
        get_user_model()._default_manager.filter(is_active=True),
        to_field_name=get_user_model().USERNAME_FIELD,
        widget=forms.TextInput,
        error_messages={"invalid_choice": "There is no member of this name."},
    )
    text = forms.CharField(max_length=200)


def form() -> NoteForm:
    return NoteForm(label_suffix="")


@login_required
@websocket_events(close_instead=True, rate=1)
def bell(request: HttpRequest, websocket: WebSocket) -> None:
    websocket.subscribe_user(since=request.GET)


@bell.event
def send(request: HttpRequest, websocket: WebSocket, form: NoteForm) -> None:
    note = {"from": request.user.get_username(), "text": form.cleaned_data["text"]}
    publish_to_user(form.cleaned_data["to"], {"note": note}, history=KEPT)


@bell.event
def read(request: HttpRequest, websocket: WebSocket, data: dict[str, Any]) -> None:
    """Silence the bell in the other windows, too."""
    publish_to_user(request.user, {"read": True}, history=KEPT)
