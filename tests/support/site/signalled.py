"""Sockets whose signals are heard."""

import functools
import json

import gevent
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.urls import path

from django_websocket import websocket, websocket_loop
from django_websocket.signals import message_received, socket_closed, socket_opened

heard = []


def note_opened(request, **kwargs):
    heard.append(f"opened {request.path}")


def note_received(message, **kwargs):
    heard.append(f"received {message}")


def note_closed(request, **kwargs):
    heard.append(f"closed {request.path}")


if hasattr(settings, "SITE_LISTENS"):
    socket_opened.connect(note_opened)
    message_received.connect(note_received)
    socket_closed.connect(note_closed)


def refused(view):
    @functools.wraps(view)
    def refuse(request):
        raise PermissionDenied

    return refuse


@websocket_loop
def echo(request, websocket, message):
    websocket.send(message)


@websocket_loop
def tells(request, websocket, message):
    websocket.send(json.dumps(heard))


@websocket
def echo_elsewhere(request, websocket):
    """One message in a greenlet of its own, the next one here."""
    for wait in (lambda read: gevent.spawn(read).get(), lambda read: read()):
        websocket.send(wait(websocket.receive))
    websocket.receive()


@websocket(close_instead=True)
def never(request, websocket):
    raise NotImplementedError


@websocket
def fails(request, websocket):
    raise RuntimeError("the view is broken")


@websocket_loop
def fails_later(request, websocket, message):
    raise RuntimeError("the view is broken")


urlpatterns = [
    path("fails-later/", fails_later),
    path("echo/", echo),
    path("echo-elsewhere/", echo_elsewhere),
    path("heard/", tells),
    path("fails/", fails),
    path("refuses/", refused(fails)),
    path("refuses-by-code/", refused(never)),
]
