"""What the chat publishes, and where."""

import json

from django_websocket.pubsub import Message as Published
from django_websocket.pubsub import publish, publish_on_commit

from .models import HISTORY, Announcement, Message

#: The announcement that stands above every room.
ANNOUNCEMENTS = "chat-announcements"

WEEK = 7 * 24 * 3600.0


def channel(room: str) -> str:
    """Where a room's messages are published, and its people are."""
    return f"chat.{room}"


def tell_room(message: Message) -> None:
    """Let everyone in the room have a message. Raises ``BrokerError``."""
    publish(channel(message.room.slug), message.as_dict(), history=2 * HISTORY)


def tell_everyone() -> None:
    """Let all open windows show the current announcement, or none, once it is committed."""
    current = Announcement.objects.current()
    text = current.text if current else ""
    publish_on_commit(ANNOUNCEMENTS, text, history=1, ttl=WEEK)


def as_announcement(message: Published) -> str:
    """What a client gets. It has no id: on each connection the client gets the last one anew."""
    return json.dumps({"type": "announcement", "text": message.data})


def as_people(message: Published) -> str:
    """What a client gets of who is in the room: ``present``, or ``joined`` and ``left``."""
    return json.dumps({"type": "people", **message.data})
