"""Sockets whose views wait, each in a way of its own."""

import select
import threading
import time

import gevent
from django.contrib.auth.decorators import login_required
from django.urls import path

from django_websocket import subscribe, websocket

#: What lets a view go on that waits for something outside.
released = threading.Event()


@websocket
def subscribed(request, websocket):
    websocket.subscribe("news")
    websocket.receive()


@login_required
@websocket
def reads_a_channel(request, websocket):
    with subscribe("news") as messages:
        for message in messages:
            websocket.send(message.data)


@websocket
def selects(request, websocket):
    while True:
        select.select([websocket], [], [])
        message = websocket.receive()
        if message is None:
            return
        websocket.send(message)


@websocket
def pumps(request, websocket):
    """Echoes in a greenlet of its own, and ticks."""

    def echo():
        for message in websocket:
            websocket.send(message)

    greenlet = gevent.spawn(echo)
    while not greenlet.dead:
        gevent.sleep(0.01)
    websocket.close(4000)


@websocket
def waits_outside(request, websocket):
    released.wait()


@websocket
def ticks(request, websocket):
    while not websocket.closed:
        websocket.send("tick")
        time.sleep(0.02)


urlpatterns = [
    path("subscribed/", subscribed),
    path("reads-a-channel/", reads_a_channel),
    path("selects/", selects),
    path("pumps/", pumps),
    path("waits-outside/", waits_outside),
    path("ticks/", ticks),
]
