from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.urls import path

from django_websocket import WebSocket, websocket


@websocket
def echo(request: HttpRequest, websocket: WebSocket) -> None:
    for message in websocket:
        websocket.send(message)


@websocket
def fanout(request: HttpRequest, websocket: WebSocket) -> None:
    websocket.subscribe("fanout")
    for _ in websocket:
        pass


urlpatterns = [
    path("private/", login_required(echo)),
    path("public/", echo),
    path("fanout/", fanout),
]
