"""The chat's socket.

A client sends ``{"name": …, "colour": …, "text": …, "key": …}`` to post a message, and
``{"type": "enter", "name": …}`` to enter, or to change its name. It gets what is published to the
room, ``{"id": …, "channel": …, "data": …}``: a message, or ``{"removed": [ids]}`` for deleted ones.
Instead of data there is ``"gap": true`` if messages are missing, ``"cleared": true`` if the room
has been cleared, and ``"retracted"`` in place of a removed message. It also gets:

``people``        the names of all who are ``present``, and then those who ``joined`` or ``left``
``entered``       it is now present under this ``name``
``sent``          its message with this ``key`` is stored under this ``id``, and published
``error``         the ``errors`` of its message: lists of sentences by field, or ``__all__``
``announcement``  the ``text`` shown above every room; empty: none

If the connection is lost before the answer, the client sends the message again, with the same
``key``.
"""

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest

from django_websocket import WebSocket, websocket

from .channels import ANNOUNCEMENTS, as_announcement, as_people, channel, publish_posted, take_back
from .forms import MessageForm, NameForm, decode
from .models import Message


@websocket
def room(request: HttpRequest, websocket: WebSocket, room: str) -> None:
    """Send the client presence and messages of the room, and publish the client's messages."""
    websocket.subscribe(ANNOUNCEMENTS, since="0", encode=as_announcement)
    websocket.watch(channel(room), encode=as_people)
    websocket.subscribe(channel(room), since=request.GET.get("since"))
    for message in websocket:
        websocket.send_json(answer(websocket, request.user, room, message))


def answer(websocket: WebSocket, user: Any, room: str, message: str | bytes) -> dict[str, Any]:
    """Handle a client's message, or find what is wrong with it.

    Raises ``BrokerError``, which closes the socket with 1013: the client reconnects and sends the
    message again.
    """
    try:
        data = decode(message)
    except ValidationError as error:
        return _error({}, {NON_FIELD_ERRORS: error.messages})
    enters = data.get("type") == "enter"
    form = NameForm(data, user=user) if enters else MessageForm(data, user=user)
    if not form.is_valid():
        return _error(data, {field: [*map(str, found)] for field, found in form.errors.items()})
    if enters:
        websocket.enter(channel(room), form.cleaned_data["name"])
        return {"type": "entered", "name": form.cleaned_data["name"]}
    # Not in one transaction: a greenlet that waits for Redis while it holds SQLite's write lock
    # would block every other greenlet that wants to write, and with them itself.
    stored = Message.objects.post(room, user=user, **form.cleaned_data)
    publish_posted(stored)
    if not Message.objects.filter(pk=stored.pk).exists():  # who deleted it did not find it yet
        take_back(room, [stored.pk])
    return {"type": "sent", "key": data.get("key"), "id": stored.pk}


def _error(data: dict[str, str], errors: dict[str, list[str]]) -> dict[str, Any]:
    return {"type": "error", "key": data.get("key"), "errors": errors}
