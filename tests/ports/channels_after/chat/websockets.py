from django.contrib.auth.decorators import login_required

from django_websocket import publish, websocket, websocket_events

from .models import Mute


@websocket
def room(request, websocket, room):
    websocket.subscribe(f"chat.{room}", since=request.GET)
    for content in websocket.iter_json():
        say(request, room, content)


def as_before(message):
    return message.json


@websocket
def plain_room(request, websocket, room):
    websocket.subscribe(f"chat.{room}", encode=as_before)
    for content in websocket.iter_json():
        say(request, room, content)


@login_required
@websocket_events
def quiet_room(request, websocket, room):
    pass  # What is published goes through said().


@quiet_room.published("chat.{room}")
def said(request, websocket, message, room):
    muted = is_muted(request.user, message.data["user"])
    return None if muted else message.data


@quiet_room.event("say")
def say_in_quiet_room(request, websocket, content, room):
    say(request, room, content)


def say(request, room, content):
    user = request.user.get_username() or "guest"
    publish(f"chat.{room}", {"user": user, "text": content["text"]})


def is_muted(user, name):
    return Mute.objects.filter(user=user, muted__username=name).exists()
