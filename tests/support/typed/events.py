"""What a type checker says to views with handlers: see views.py."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import path

from django_websocket import (
    EventView,
    Message,
    WebSocket,
    event,
    published,
    user_channel,
    websocket_events,
)


class MemberRequest(HttpRequest):
    user: User


class RenameForm(forms.Form):
    name = forms.CharField()


# Right


@websocket_events
def room(request: HttpRequest, websocket: WebSocket, room: str) -> None:
    websocket.subscribe(f"room.{room}", since=request.GET)


@room.event
def rename(request: HttpRequest, websocket: WebSocket, form: RenameForm, room: str) -> str:
    return str(form.cleaned_data["name"])


@room.event("leave-it", permission=["rooms.leave"])
def leave(request: HttpRequest, websocket: WebSocket, data: dict[str, Any], room: str) -> None:
    websocket.close()


@room.published("orders.{room}")
def order(request: HttpRequest, websocket: WebSocket, message: Message, room: str) -> object:
    return message.data


@login_required
@websocket_events(rate=5, max_size=1000, close_instead=True, permission="rooms.view_room")
def members(request: MemberRequest, websocket: WebSocket) -> Iterator[None]:
    websocket.enter("members", request.user.username)
    yield
    websocket.leave("members")


@members.event()
def hello(request: MemberRequest, websocket: WebSocket, data: dict[str, Any]) -> str:
    return request.user.username


@members.published(lambda request: user_channel(request.user))
def own(request: MemberRequest, websocket: WebSocket, message: Message) -> None: ...


class Board(LoginRequiredMixin, EventView):
    permission = "boards.view_board"
    rate = 5

    def opened(self) -> None:
        self.websocket.subscribe_user(since=self.request.GET)

    @event
    def rename(self, form: RenameForm) -> str:
        return str(form.cleaned_data["name"])

    @event("leave-it", permission="boards.leave")
    def leave(self, data: dict[str, Any]) -> None:
        self.websocket.close()

    @published("news")
    def news(self, message: Message) -> object:
        return message.data


urlpatterns = [
    path("room/<room>/", room, name="room"),
    path("members/", members),
    path("board/", Board.as_view()),
]


def test_of_a_handler(request: HttpRequest, websocket: WebSocket) -> None:
    renamed: str = rename(request, websocket, RenameForm({}), room="lobby")
    rename(request, websocket, RenameForm({}), room=5)  # error
    print(renamed.status_code)  # error


# Wrong


@websocket_events  # error
def socket_is_missing(request: HttpRequest) -> None: ...


@websocket_events  # error
def answers(request: HttpRequest, websocket: WebSocket) -> str:
    return "too late"


@websocket_events  # error
async def coroutine(request: HttpRequest, websocket: WebSocket) -> None: ...


@room.event  # error
def the_room_is_missing(request: HttpRequest, websocket: WebSocket, data: object) -> None: ...


@room.event  # error
def the_payload_is_missing(request: HttpRequest, websocket: WebSocket) -> None: ...


@room.published("news")  # error
def the_socket_is_something_else(
    request: HttpRequest, websocket: str, message: Message, room: str
) -> None: ...


room.event(permission=5)  # error
room.event("rename", permissions="rooms.leave")  # error
room.published(5)  # error
room.events(rename)  # error
websocket_events(rate="5/s")  # error
websocket_events(max_length=5)  # error
event(5)  # error
published(5)  # error
