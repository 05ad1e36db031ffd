"""A form that several people fill in at the same time: open it in two windows."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django import forms
from django.db import transaction
from django.forms.models import model_to_dict

from django_websocket import EventView, event, publish_on_commit

from .models import Minutes

CHANNEL = "examples.minutes"


class MinutesForm(forms.ModelForm):
    class Meta:
        model = Minutes
        fields = ["title", "date", "people", "text"]
        widgets = {"date": forms.DateInput({"type": "date"}), "text": forms.Textarea({"rows": 4})}


def current() -> Minutes:
    return Minutes.objects.get_or_create(pk=1, defaults={"title": "Our meeting"})[0]


def form() -> MinutesForm:
    return MinutesForm(instance=current(), label_suffix="")


class MinutesView(EventView):
    """Stores each change, if it is valid, and shows everyone who is in which field."""

    max_size = 16 * 1024

    def opened(self) -> Iterator[None]:
        self.name = self.request.user.get_username() or f"Guest {uuid4().hex[:4]}"
        self.websocket.subscribe(CHANNEL)
        self.websocket.watch(CHANNEL)
        yield
        self.websocket.leave(CHANNEL)  # at once, instead of after a while

    @event
    def focus(self, data: dict[str, Any]) -> dict[str, Any]:
        """The visitor is in a field now, or in none; and what all fields contain."""
        field = data.get("field") if data.get("field") in MinutesForm.base_fields else ""
        self.websocket.enter(CHANNEL, f"{field}:{self.name}")
        return {"name": self.name, "fields": model_to_dict(current(), MinutesForm.Meta.fields)}

    @event
    def change(self, data: dict[str, Any]) -> MinutesForm | None:
        """Some fields have new values."""
        with transaction.atomic():
            stored = Minutes.objects.select_for_update().get(pk=current().pk)
            form = MinutesForm(model_to_dict(stored) | data, instance=stored)
            if not form.is_valid():
                return form
            form.save()
            changed = {name: form.cleaned_data[name] for name in data if name in form.fields}
            publish_on_commit(CHANNEL, changed)
        return None
