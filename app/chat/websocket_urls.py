"""The chat's sockets. Each has the URL of its page."""

from django.urls import path

from . import websockets

app_name = "chat"
urlpatterns = [
    path("<room:room>/", websockets.room, name="room"),
]
