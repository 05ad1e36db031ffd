"""Sockets whose client says what happens."""

import threading
import time
from types import SimpleNamespace

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.urls import path

from django_websocket import (
    BrokerError,
    TooManyChannels,
    clear,
    presence,
    publish,
    retract,
    subscribe,
    websocket,
)

#: What a view, or a slow encode(), waits for while a test holds it.
released = threading.Event()
released.set()


def slow(message):
    released.wait()
    return message.data


@websocket(max_channels=2)
def acts(request, websocket):
    for what, *arguments in websocket.iter_json():
        try:
            result = ACTS[what](websocket, *arguments)
        except (BrokerError, DatabaseError, TooManyChannels) as error:
            result = type(error).__name__
        websocket.send_json({"result": result})


def follow(websocket, channel, since=None, policy=None):
    websocket.subscribe(channel, since, policy=policy)


def follow_slowly(websocket, channel):
    websocket.subscribe(channel, encode=slow, policy="drop_oldest")


def publish_many(websocket, channel, count, size):
    for number in range(count):
        publish(channel, f"{number:0{size}}", history=0)


def lag(websocket, channel, count, size):
    """Publish more than waits for a reader, and only then read all of it."""
    with subscribe(channel) as messages:
        for number in range(count):
            publish(channel, f"{number:0{size}}", history=100)
        # The broker delivers in order: this reader gets "end" when the other one has got all.
        with subscribe("end") as others:
            publish("end", "end")
            others.receive()
        return sum(1 for _ in zip(range(count), messages, strict=False))


def fill(websocket, count):
    for number in range(count):
        publish(f"fill-{number}", "x" * 100_000)


def query(websocket):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def hold_connection(websocket):
    with transaction.atomic():
        query(websocket)
        released.wait()


def hog(websocket, seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


ACTS = {
    "clear": lambda websocket, channel: clear(channel),
    "close": lambda websocket, code: websocket.close(code),
    "enter": lambda websocket, channel, name: websocket.enter(channel, name),
    "fill": fill,
    "follow": follow,
    "follow slowly": follow_slowly,
    "hold": lambda websocket: released.clear(),
    "hold a connection": hold_connection,
    "hog": hog,
    "lag": lag,
    "leave": lambda websocket, channel: websocket.leave(channel),
    "presence": lambda websocket, channel: presence(channel),
    "publish": lambda websocket, channel, value: publish(channel, value),
    "publish many": publish_many,
    "query": query,
    "release": lambda websocket: released.set(),
    "retract": lambda websocket, channel, message: retract(channel, message),
    "wait": lambda websocket: released.wait(),
}


@websocket(receive_rate=10, receive_burst=1)
def throttled(request, websocket):
    for _ in websocket:
        pass


@websocket(receive_rate=10, receive_burst=1, receive_policy="disconnect")
def strict(request, websocket):
    for _ in websocket:
        pass


@websocket(max_sockets_per_user=1)
def once(request, websocket):
    websocket.receive()


def once_for_ada(request):
    request.user = SimpleNamespace(pk=1)
    return once(request)


def forbidden(request, number):
    raise PermissionDenied


def dawdles(request):
    """Takes its time to refuse."""
    released.wait()
    raise PermissionDenied


urlpatterns = [
    path("acts/", acts),
    path("dawdles/", dawdles),
    path("forbidden/<int:number>/", forbidden),
    path("throttled/", throttled),
    path("strict/", strict),
    path("once/", once_for_ada),
]
