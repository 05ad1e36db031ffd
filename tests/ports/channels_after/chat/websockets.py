from select import select

from django.contrib.auth.decorators import login_required

from django_websocket import publish, subscribe, websocket

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
@websocket
def quiet_room(request, websocket, room):
    since = request.GET.get("since")
    with subscribe(f"chat.{room}", since=since, timeout=0) as messages:
        while True:
            readable, _, _ = select([websocket, messages], [], [])
            if websocket in readable:
                # Raises ConnectionClosed when the client has left.
                say(request, room, websocket.receive_json())
            for message in messages:
                if message.gap or is_muted(request.user, message.data["user"]):
                    continue
                websocket.send_json(
                    {
                        "id": message.id,
                        "channel": message.channel,
                        "data": message.data,
                    }
                )


def say(request, room, content):
    user = request.user.get_username() or "guest"
    publish(f"chat.{room}", {"user": user, "text": content["text"]})


def is_muted(user, name):
    return Mute.objects.filter(user=user, muted__username=name).exists()
