"""The chat's socket.

Its events, as ``connection.request("say", {…})`` sends them:

``say``    ``name``, ``colour``, ``text`` and ``key``: stores and publishes the message; the answer
           has its ``id``. A message sent again with the same ``key`` is stored only once
``change`` ``id``, ``text``: another text for a message of one's own, which a guest shows by the
           ``key`` that it was sent with
``remove`` ``id``: deletes a message of one's own
``typing`` no data: the others learn that the client is writing
``enter``  ``name``: the client is now present under the ``name`` in the answer

A client gets what is published to the room, ``{"id": …, "channel": …, "data": …}``: a message, or
``{"removed": [ids]}`` for deleted ones. Instead of data there is ``"gap": true`` if messages are
missing, ``"cleared": true`` if the room has been cleared, and ``"retracted"`` in place of a removed
message; a changed one comes again, with ``"edited"``. While others write, it gets
``{"channel": …, "from": name, "whisper": "typing"}``. It also gets, by ``type``:

``people``        the names of all who are ``present``, and then of those who ``joined`` or ``left``
``announcement``  the ``text`` shown above every room; empty if there is none
"""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from django_websocket import WebSocket, websocket_events

from .channels import (
    ANNOUNCEMENTS,
    as_announcement,
    as_people,
    channel,
    publish_changed,
    publish_posted,
    take_back,
)
from .forms import ChangeForm, MessageForm, NameForm, OwnForm
from .models import Message

#: The longest JSON text of a valid message: 1,000 characters of 12 bytes each ("\ud83d\ude00"), a
#: name, a colour, and the names of the fields.
MAX_SIZE = 16 * 1024


# Nobody types ten messages a second, but messages written while offline arrive at once.
@websocket_events(
    max_size=MAX_SIZE,
    receive_rate=10,
    receive_byte_rate=64 * 1024,
    receive_burst=30,
    max_channels=5,
    max_sockets_per_user=100,
)
def room(request: HttpRequest, websocket: WebSocket, room: str) -> None:
    """Send the client presence and messages of the room."""
    websocket.subscribe(ANNOUNCEMENTS, since="0", encode=as_announcement)
    websocket.watch(channel(room), encode=as_people)
    websocket.subscribe(channel(room), since=request.GET.get("since"), whispers=True)


@room.event
def enter(request: HttpRequest, websocket: WebSocket, data: dict[str, Any], room: str) -> Any:
    form = NameForm(data, user=request.user)
    if form.is_valid():
        websocket.enter(channel(room), form.cleaned_data["name"])
        return form.cleaned_data
    return form


@room.event
def say(request: HttpRequest, websocket: WebSocket, data: dict[str, Any], room: str) -> Any:
    form = MessageForm(data, user=request.user)
    if not form.is_valid():
        return form
    # Not in one transaction: while a greenlet holds SQLite's write lock and waits for Redis,
    # another one that writes would block the whole worker, and with it the first.
    stored = Message.objects.post(room, user=request.user, **form.cleaned_data)
    publish_posted(stored)
    if not Message.objects.filter(pk=stored.pk).exists():  # deleted before it was published
        take_back(room, [stored.pk])
    return {"id": stored.pk}


@room.event
def change(request: HttpRequest, websocket: WebSocket, data: dict[str, Any], room: str) -> Any:
    form = ChangeForm(data, user=request.user, room=room)
    if not form.is_valid():
        return form
    message = form.message
    message.text, message.edited = form.cleaned_data["text"], timezone.now()
    message.save(update_fields=["text", "edited"])
    publish_changed(message)
    return {"id": message.pk}


@room.event
def remove(request: HttpRequest, websocket: WebSocket, data: dict[str, Any], room: str) -> Any:
    form = OwnForm(data, user=request.user, room=room)
    if not form.is_valid():
        return form
    form.message.delete()
    return {}


@room.event
def typing(request: HttpRequest, websocket: WebSocket, data: Any, room: str) -> None:
    websocket.whisper(channel(room), "typing")
