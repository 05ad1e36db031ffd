"""Sockets whose client says what happens."""

import threading
import time

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.urls import path

from django_websocket import (
    BrokerError,
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


@websocket
def acts(request, websocket):
    for what, *arguments in websocket.iter_json():
        try:
            result = ACTS[what](websocket, *arguments)
        except (BrokerError, DatabaseError) as error:
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
]
