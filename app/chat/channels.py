"""What the chat publishes, and where."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Protocol

from django.db import transaction

from django_websocket import Message as Published
from django_websocket import clear_on_commit, edit, publish, publish_on_commit, retract, subscribe

#: How many messages a page shows at first, and how many it loads at a time.
HISTORY = 50

#: The channel of the announcement above every room.
ANNOUNCEMENTS = "chat-announcements"

WEEK = 7 * 24 * 3600.0


def channel(room: str) -> str:
    """The channel of a room's messages and of its presence."""
    return f"chat.{room}"


class Posted(Protocol):
    """What is used of a chat message here."""

    pk: int

    @property
    def room(self) -> Any: ...

    def as_dict(self) -> dict[str, Any]: ...


def publish_posted(message: Posted) -> None:
    """Send a message to everyone in the room. Raises ``BrokerError``."""
    publish(channel(message.room.slug), message.as_dict(), history=2 * HISTORY)


def publish_changed(message: Posted) -> None:
    """Put a message's new text into the pages that show it, and into the history.

    Raises ``BrokerError``.
    """
    name = channel(message.room.slug)
    published = _published(name, {message.pk})
    for found in published:
        edit(name, found, message.as_dict())
    if not published:  # it is older than the history
        publish_posted(message)


def take_back(room: str, ids: Collection[int]) -> None:
    """Remove messages from the pages that show them, and from the room's history.

    Pages identify a message by its id in the database, the history by the id that ``publish()``
    returned. A message may be in the history twice, if the client sent it again because the answer
    was lost. Raises ``BrokerError``.
    """
    name, gone = channel(room), set(ids)
    publish(name, {"removed": sorted(ids)}, history=2 * HISTORY)
    for published in _published(name, gone):
        retract(name, published)


def _published(name: str, ids: Collection[int]) -> list[str]:
    """The ids under which the history has the messages."""
    with subscribe(name, since="0", timeout=0) as messages:
        return [it.id for it in messages if isinstance(it.data, dict) and it.data.get("id") in ids]


def take_back_on_commit(room: str, ids: Collection[int], using: str | None) -> None:
    """:func:`take_back` after the commit. If the broker does not answer, log an error."""

    def take_back_now() -> None:
        take_back(room, ids)

    transaction.on_commit(take_back_now, using=using, robust=True)


def clear_room_on_commit(room: str, using: str | None) -> None:
    """Remove everything from the room's pages and its history, after the commit."""
    clear_on_commit(channel(room), using=using)


def publish_announcement(text: str) -> None:
    """Publish the announcement, or ``""`` for its end, after the commit."""
    publish_on_commit(ANNOUNCEMENTS, text, history=1, ttl=WEEK)


def as_announcement(message: Published) -> str:
    """What a client gets, without an id: on each connection it gets the latest one again."""
    return json.dumps({"type": "announcement", "text": message.data})


def as_people(message: Published) -> str:
    """What a client gets about presence: ``present``, or ``joined`` and ``left``."""
    return json.dumps({"type": "people", **message.data})
