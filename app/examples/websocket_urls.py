"""The examples' sockets. Each has the URL of its page."""

from django.urls import path

from . import websockets
from .bell import bell
from .minutes import MinutesView

app_name = "examples"
urlpatterns = [
    path("echo/", websockets.echo, name="echo"),
    path("ping/", websockets.ping, name="ping"),
    path("ticker/", websockets.ticker, name="ticker"),
    path("select/", websockets.select_loop, name="select"),
    path("bell/", bell, name="bell"),
    path("minutes/", MinutesView.as_view(), name="minutes"),
]
