import dataclasses
import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.http import Http404
from django.urls import path
from django.utils.translation import get_language

from django_websocket import (
    EventView,
    event,
    publish,
    published,
    user_channel,
    websocket_events,
)

#: What the views have done, for tests in the same process.
done: list[str] = []


class RenameForm(forms.Form):
    title = forms.CharField(max_length=10)
    colours = forms.MultipleChoiceField(choices=[("red", "Red"), ("blue", "Blue")], required=False)
    settings = forms.JSONField(required=False)

    def clean(self):
        if self.cleaned_data.get("title") == "same":
            raise ValidationError("That is its title already.")


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


@dataclasses.dataclass
class Move:
    to: Point
    on: datetime.date | None = None


@websocket_events
def room(request, websocket, room):
    websocket.subscribe(f"room.{room}", since=request.GET)


@room.event
def rename(request, websocket, form: RenameForm, room):
    publish(f"room.{room}", form.cleaned_data["title"])
    return form.cleaned_data


@room.event("move-it")
def move(request, websocket, move: Move, room):
    return dataclasses.asdict(move)


@room.event
def echo(request, websocket, data, room):
    return data


@room.event
def by_hand(request, websocket, data: dict[str, Any], room):
    return RenameForm(data)


@room.event(permission="auth.change_user")
def guarded(request, websocket, data: dict, room):
    return "done"


REFUSALS = {
    "taken": lambda: ValidationError("That name is taken.", code="taken"),
    "two": lambda: ValidationError(["One.", "Two."]),
    "field": lambda: ValidationError({"title": "Too short."}),
    "forbidden": lambda: PermissionDenied(),
    "owner": lambda: PermissionDenied("Only its owner may do that."),
    "missing": lambda: Http404("No Room matches the given query."),
    "bug": lambda: RuntimeError("the secret of the handler"),
}


@room.event
def refuse(request, websocket, data, room):
    raise REFUSALS[data["how"]]()


@room.event
def unserialisable(request, websocket, data, room):
    return {"user": object()}


@room.event
def leave(request, websocket, data, room):
    websocket.close(4000, "bye")


@room.event
def world(request, websocket, data, room):
    return {
        "user": request.user.get_username(),
        "language": get_language(),
        "atomic": connection.in_atomic_block,
    }


@room.event
@transaction.non_atomic_requests
def apart(request, websocket, data, room):
    return connection.in_atomic_block


@room.event
def store(request, websocket, data, room):
    User.objects.create(username=data["name"])
    if data.get("how"):
        raise REFUSALS[data["how"]]()


@websocket_events(rate=0.01, max_size=200)
def limited(request, websocket):
    yield
    done.append("limited ended")


@limited.event
def say(request, websocket, data):
    return len(data)


@limited.event
def leave_it(request, websocket, data):
    websocket.close(4000, "bye")


@limited.event
def announce(request, websocket, data):
    publish("limited", "hello")


@websocket_events
def closes(request, websocket):
    websocket.close(4000, "not today")
    if request.GET:
        yield


@closes.event
def never(request, websocket, data):
    raise NotImplementedError


@websocket_events
def returns(request, websocket):
    return "too late"


@websocket_events
def orders(request, websocket, shop):
    pass


@orders.published("orders.{shop}")
def order(request, websocket, message, shop):
    if message.data == "bug":
        raise RuntimeError("the secret of the handler")
    if message.data == "private":
        raise PermissionDenied
    mine = User.objects.filter(username=message.data, pk=request.user.pk)
    return {"mine": message.data} if mine.exists() else None


@orders.published(lambda request: user_channel(request.user))
def own(request, websocket, message, shop):
    return {"own": message.data}


@orders.event
def count(request, websocket, data, shop):
    return {"users": User.objects.count()}


def may_read(request, channel):
    if channel == "buggy":
        raise RuntimeError("the secret of the rule")
    return channel.startswith("open.") or request.user.has_perm("auth.view_user")


@websocket_events(authorize=may_read)
def chooser(request, websocket):
    pass


class Board(EventView):
    close_instead = True
    word = "hello"

    def opened(self):
        self.websocket.subscribe(f"board.{self.kwargs['board']}")
        yield
        done.append("board ended")

    @event
    def rename(self, form: RenameForm):
        return {"title": form.cleaned_data["title"], "word": self.word}

    @event("move-it", permission=["auth.change_user"])
    def move(self, move: Move):
        return dataclasses.asdict(move)

    @published("news.{board}")
    def news(self, message):
        return [self.word, message.data]


class OtherBoard(Board):
    word = "other"

    def authorize(self, request, channel):
        return channel == self.word

    @event
    def added(self, data):
        return self.word


urlpatterns = [
    path("room/<slug:room>/", room, name="room"),
    path("limited/", limited),
    path("chooser/", chooser),
    path("returns/", returns),
    path("closes/", closes),
    path("orders/<slug:shop>/", orders),
    path("board/<slug:board>/", Board.as_view()),
    path("other/<slug:board>/", OtherBoard.as_view(word="another")),
]
