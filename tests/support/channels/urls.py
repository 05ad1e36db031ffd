import dataclasses
import json

from django.urls import path

from django_websocket.decorators import websocket
from django_websocket.metrics import counters
from django_websocket.pubsub import publish, subscribe, user_channel

encoded = []


def note(message):
    """An encoding that remembers what it was asked to encode."""
    encoded.append(message.id)
    return str(message.data)


def fail(message):
    raise RuntimeError("this encoding never works")


def first_letter(message):
    return message.data[:1]


ENCODINGS = {"encode": {"note": note, "fail": fail}, "key": {"first_letter": first_letter}}


@websocket
def channel(request, websocket, name):
    """Sends the channel; what the client sends is published to it, or is a command."""
    options = request.GET.dict()
    for option, functions in ENCODINGS.items():
        if option in options:
            options[option] = functions[options[option]]
    position = websocket.subscribe(name, **options)
    websocket.send_json({"position": position})
    for message in websocket:
        if message == "unsubscribe":
            websocket.unsubscribe(name)
            websocket.send("unsubscribed")
        else:
            publish(name, message)


@websocket
def reader(request, websocket, name):
    """Reads the channel in its own greenlet."""
    with subscribe(name, since=request.GET.get("since")) as messages:
        websocket.send("reading")
        for message in messages:
            websocket.send(f"{message.id} {message.data}")


@websocket
def room(request, websocket, name):
    """Tells who is in; its client goes in under the names that it sends, and out without one."""
    websocket.watch(name)
    for message in websocket:
        if message == "unwatch":
            websocket.unwatch(name)
        elif message == "myself":
            websocket.enter(name)
        elif message:
            websocket.enter(name, message)
        else:
            websocket.leave(name)
        websocket.send("done")


@websocket
def typing(request, websocket, name):
    """Whispers what its client sends, but for metadata: then it enters with that."""
    websocket.subscribe(name, whispers=True)
    if "name" in request.GET:
        websocket.enter(name, request.GET["name"])
    if "watch" in request.GET:
        websocket.watch(name)
    websocket.send_json("ready")
    for data in websocket.iter_json():
        if isinstance(data, dict) and "meta" in data:
            websocket.enter(name, request.GET["name"], meta=data["meta"])
        elif data == "unsubscribe":
            websocket.unsubscribe(name)
        elif data == "publish":
            publish(name, data)
        else:
            websocket.whisper(name, data)


@websocket
def mine(request, websocket):
    """Sends the user's own channel."""
    websocket.subscribe_user(since=request.GET)
    websocket.enter(user_channel(request.user), "a window")
    websocket.receive()


@websocket
def facts(request, websocket):
    """What this process has counted and encoded."""
    websocket.send(
        json.dumps(
            {name: value for name, value in _totals() if isinstance(value, int)}
            | {"encoded": encoded}
        )
    )


urlpatterns = [
    path("channel/<str:name>/", channel),
    path("reader/<str:name>/", reader),
    path("room/<str:name>/", room),
    path("typing/<str:name>/", typing),
    path("mine/", mine),
    path("facts/", facts),
]


def _totals():
    return ((field.name, getattr(counters, field.name)) for field in dataclasses.fields(counters))
