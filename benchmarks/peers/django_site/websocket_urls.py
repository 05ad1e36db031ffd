from django.contrib.auth.decorators import login_required
from django.urls import path

from django_websocket import websocket


@websocket
def echo(request, websocket):
    for message in websocket:
        websocket.send(message)


@websocket
def fanout(request, websocket):
    websocket.subscribe("fanout")
    for _ in websocket:
        pass


urlpatterns = [
    path("private/", login_required(echo)),
    path("public/", echo),
    path("fanout/", fanout),
]
