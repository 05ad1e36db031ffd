from django.contrib.auth.decorators import login_required
from django.urls import path

from django_websocket.decorators import websocket


@login_required
@websocket
def echo(request, websocket):
    for message in websocket:
        websocket.send(message)


urlpatterns = [path("echo/", echo)]
