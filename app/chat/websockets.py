"""The chat's socket.

A client sends ``{"name": …, "colour": …, "text": …}`` and gets, each with a ``type``:

``history``  the last ``messages`` of the room, after connecting and whenever some may be missing
``message``  a new ``message``, from anyone
``sent``     the ``id`` that the client's message has got
``error``    the ``errors`` of the client's message: lists of sentences by field, or ``__all__``
"""

import json
import logging
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest

from django_websocket.decorators import websocket

from .broker import BrokerError, get_broker
from .forms import MessageForm, decode
from .models import Message
from .outbox import Outbox

logger = logging.getLogger(__name__)


@websocket
def room(request: HttpRequest, websocket: Any, room: str) -> None:
    """Tell the client what is said in the room, and the room what the client says."""
    outbox = Outbox(websocket)

    def receive(payload: str | None) -> None:
        outbox.put(payload or (lambda: history(room)))

    # Subscribed first: what is said while the history is read comes twice rather than never.
    with get_broker().subscription(room, receive):
        websocket.send(history(room))
        with outbox:
            for message in websocket:
                outbox.reply(answer(request.user, room, message))


def history(room: str) -> str:
    messages = Message.objects.latest_in(room)
    return json.dumps({"type": "history", "messages": [m.as_dict() for m in messages]})


def answer(user: Any, room: str, message: str | bytes) -> str:
    """Store and publish a client's message, or find what is wrong with it."""
    try:
        form = MessageForm(decode(message), user=user)
    except ValidationError as error:
        return _errors({NON_FIELD_ERRORS: error.messages})
    if not form.is_valid():
        return _errors({field: list(errors) for field, errors in form.errors.items()})
    stored = Message.objects.post(room, user=user, **form.cleaned_data)
    # Not in one transaction: a greenlet that waits for Redis while it holds SQLite's write lock
    # would block every other greenlet that wants to write, and with them itself.
    try:
        get_broker().publish(room, json.dumps({"type": "message", "message": stored.as_dict()}))
    except BrokerError:
        logger.exception("Could not publish a message to %s", room)
        stored.delete()
        return _errors(
            {NON_FIELD_ERRORS: ["Not sent: the chat cannot reach its message service. Try again."]}
        )
    return json.dumps({"type": "sent", "id": stored.pk})


def _errors(errors: dict[str, list[str]]) -> str:
    return json.dumps({"type": "error", "errors": errors})
