"""What a type checker says to views: exactly the lines that end in ``# error`` are wrong.

tests/unit/test_types.py runs mypy on it, with django-stubs; nothing here is called.
"""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

import django_websocket
from django_websocket import Message, WebSocket, publish, websocket, websocket_loop


class MemberRequest(HttpRequest):
    user: User


# Right


@websocket
def room(request: HttpRequest, websocket: WebSocket, room: str) -> None:
    for message in websocket:
        publish(f"chat.{room}", message)


@login_required
@websocket(permission="chat.view_room", subprotocols=["chat"], close_instead=True)
def members(request: MemberRequest, websocket: WebSocket, room: str, page: int = 1) -> None:
    websocket.send(request.user.username)


@websocket_loop
def echo(request: HttpRequest, websocket: WebSocket, message: str | bytes) -> None:
    websocket.send(message)


@websocket(receive_rate=20, receive_policy="disconnect", max_channels=None)
def limited(request: HttpRequest, websocket: WebSocket) -> None:
    websocket.close()


@websocket_loop(permission=("chat.view_room", "chat.view_message"))
def repeat(request: HttpRequest, websocket: WebSocket, message: Any, times: int) -> None:
    websocket.send(message * times)


@websocket
def untyped(request, websocket, room):  # type: ignore[no-untyped-def]
    websocket.send(room)


class Echo(View):
    # django-stubs: what is decorated is a view that returns a response.
    @method_decorator(websocket)  # type: ignore[arg-type]
    def get(self, request: HttpRequest, websocket: WebSocket) -> None:
        websocket.close()


urlpatterns = [
    path("room/<room>/", room, name="room"),
    path("members/<room>/", members),
    path("echo/", echo),
    path("repeat/<int:times>/", repeat),
    path("untyped/<room>/", untyped),
    path("echo/class/", Echo.as_view()),
]


def test_of_a_view(request: HttpRequest) -> HttpResponse:
    response = room(request, room="lobby")
    response.status_code += 1
    room(request, "lobby")
    room(request)  # error
    room(request, room=5)  # error
    room(request, "lobby", "attic")  # error
    repeat(request, times="twice")  # error
    return response  # error


# A wrong name

django_websocket.websocet(room)  # error


# Wrong views


@websocket  # error
def socket_is_missing(request: HttpRequest) -> None: ...


@websocket  # error
def socket_is_something_else(request: HttpRequest, room: str) -> None: ...


@websocket  # error
def request_is_something_else(request: str, websocket: WebSocket) -> None: ...


@websocket  # error
def the_other_way_round(websocket: WebSocket, request: HttpRequest) -> None: ...


@websocket  # error
async def coroutine(request: HttpRequest, websocket: WebSocket) -> None: ...


@websocket  # error
def answers(request: HttpRequest, websocket: WebSocket) -> HttpResponse:
    return HttpResponse()


@websocket(close_instead=True)  # error
def socket_is_missing_behind_options(request: HttpRequest) -> None: ...


@websocket(close_instead=True)  # error
async def coroutine_behind_options(request: HttpRequest, websocket: WebSocket) -> None: ...


@websocket_loop  # error
def message_is_missing(request: HttpRequest, websocket: WebSocket) -> None: ...


@websocket_loop  # error
def message_is_something_else(
    request: HttpRequest, websocket: WebSocket, message: dict[str, Any]
) -> None: ...


@websocket_loop  # error
def message_may_be_binary(request: HttpRequest, websocket: WebSocket, message: str) -> None: ...


@websocket_loop(close_instead=True)  # error
def message_may_be_text(request: HttpRequest, websocket: WebSocket, message: bytes) -> None: ...


@websocket_loop  # error
async def coroutine_loop(
    request: HttpRequest, websocket: WebSocket, message: str | bytes
) -> None: ...


# Wrong options

websocket(subprotocols="chat")  # error
websocket(subprotocols=[b"chat"])  # error
websocket(subprotocols=None)  # error
websocket(permission=b"chat.view_room")  # error
websocket(permission=None)  # error
websocket(close_instead="yes")  # error
websocket(timeout=5)  # error
websocket(untyped, protocols=["chat"])  # error
websocket_loop(subprotocols="chat")  # error
websocket_loop(timeout=5)  # error
websocket_loop(untyped, close_instead=1)  # error
websocket("chat.view_room")  # error


# Wrong use of the socket


def as_text(message: Message) -> str:
    return message.id


def as_number(message: Message) -> int:
    return int(message.id)


@websocket
def uses(request: HttpRequest, websocket: WebSocket) -> None:
    message = websocket.receive(timeout=5)
    if message is not None:
        websocket.send(message)
    websocket.subscribe("news", since=request.GET.get("since"))
    websocket.subscribe("ticker", encode=as_text, policy="latest", key=lambda message: message.id)
    websocket.subscribe_user(since=request.GET, encode=as_text)
    websocket.watch("news", encode=as_text)
    websocket.close(4000, "over")
    websocket.send(message)  # error
    websocket.send({"text": "hello"})  # error
    websocket.receive(timeout="5")  # error
    websocket.close("over")  # error
    websocket.accept(["chat"])  # error
    websocket.receive().upper()  # error
    websocket.recieve()  # error
    websocket.subscribe(5)  # error
    websocket.subscribe("news", encoder=str)  # error
    websocket.subscribe_user(request.user)  # error
    websocket.subscribe_user(encoder=str)  # error
    websocket.subscribe("news", policy="drop")  # error
    websocket.subscribe("news", encode=5)  # error
    websocket.subscribe("news", encode=as_number)  # error
    websocket.subscribe("news", key="id")  # error
    websocket.watch("news", policy="latest")  # error
    websocket.watch("news", encode=as_number)  # error
    websocket.enter("news", 5)  # error
