"""The chat's socket.

Its events, as ``connection.request("say", {…})`` sends them:

``say``    ``name``, ``colour``, ``text`` and ``key``: stores and publishes the message; the answer
           has its ``id``. A message sent again with the same ``key`` is stored only once
``enter``  ``name``: the client is now present under the ``name`` in the answer

A client gets what is published to the room, ``{"id": …, "channel": …, "data": …}``: a message, or
``{"removed": [ids]}`` for deleted ones. Instead of data there is ``"gap": true`` if messages are
missing, ``"cleared": true`` if the room has been cleared, and ``"retracted"`` in place of a removed
message. It also gets, by ``type``:

``people``        the names of all who are ``present``, and then of those who ``joined`` or ``left``
``announcement``  the ``text`` shown above every room; empty if there is none
"""

from typing import Any

from django.http import HttpRequest

from django_websocket import WebSocket, websocket_events

from .channels import ANNOUNCEMENTS, as_announcement, as_people, channel, publish_posted, take_back
from .forms import MessageForm, NameForm
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
    max_channels=4,
    max_sockets_per_user=100,
)
def room(request: HttpRequest, websocket: WebSocket, room: str) -> None:
    """Send the client presence and messages of the room."""
    websocket.subscribe(ANNOUNCEMENTS, since="0", encode=as_announcement)
    websocket.watch(channel(room), encode=as_people)
    websocket.subscribe(channel(room), since=request.GET.get("since"))


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
