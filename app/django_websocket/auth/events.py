"""Events about sessions and users, and what they do to the open sockets."""

from __future__ import annotations

import logging
from collections.abc import Collection
from hashlib import sha256
from typing import Any, Protocol

from django.contrib.auth import HASH_SESSION_KEY

from django_websocket.pubsub.message import Message
from django_websocket.rfc6455.protocol import check_close

from .permissions import Change
from .review import (
    LOGGED_OUT,
    OpenSocket,
    Sockets,
    closing_in_doubt,
    come_back,
    identify,
    paced,
    recheck,
    review,
)
from .schedule import SETTLE, Job
from .store import in_browser

__all__ = ["Enforcer", "Event", "Later", "digest", "understand"]

Event = dict[str, Any]

logger = logging.getLogger("django_websocket")

#: How many sessions that ended are remembered.
_ENDED = 10_000


def digest(secret: str) -> str:
    """Both kinds of secret, keys and hashes, are random enough to need no salt."""
    return sha256(secret.encode()).hexdigest()


class Later(Protocol):
    """Does what has to be done later, or takes long."""

    def add(self, job: Job, sockets: Sockets, seconds: float = 0.0) -> None:
        """Run ``job`` for ``sockets`` in ``seconds``."""


class Enforcer:
    """Applies events to sockets. ``later`` does what cannot be done at once."""

    def __init__(self, later: Later) -> None:
        self._later = later
        #: The last sessions that were logged out of, as digests.
        self._ended: dict[str, None] = {}

    def obey(self, event: Event | None, sockets: Sockets) -> None:
        """Apply ``event`` to ``sockets``. None: an event that could not be understood."""
        try:
            if event is None:
                self._later.add(review, sockets)
            elif "change" in event:
                recheck(Change.from_event(event["change"]), sockets)
            elif "session" in event:
                self._end_session(event, sockets)
            elif "replaced" in event:
                self._replace_session(event, sockets)
            else:
                self._change_user(event, sockets)
        except Exception:
            logger.exception("Could not handle %r", event)
            self._later.add(review, sockets)

    def _end_session(self, event: Event, sockets: Sockets) -> None:
        self._ended[event["session"]] = None
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]
        _close(_of_session(event["session"], sockets), event["code"])
        self._come_back_from_browser(event, sockets)

    def _replace_session(self, event: Event, sockets: Sockets) -> None:
        """The user ``by`` has logged in over the session."""
        found = _of_session(event["replaced"], sockets)
        unknown = {socket for socket, opened in found if opened.unknown}
        identify(found)
        same = [
            (socket, opened)
            for socket, opened in found
            if opened.user == event["by"] or (socket in unknown and opened.user is None)
        ]
        self._later.add(come_back, same, SETTLE)
        others = [item for item in found if item not in same and item[1].user is not None]
        _close(others, LOGGED_OUT)
        self._come_back_from_browser(event, sockets)

    def _come_back_from_browser(self, event: Event, sockets: Sockets) -> None:
        """For a session that is its cookie: any socket of the user may belong to it."""
        if user := event.get("user"):
            identify(sockets)
            found = [item for item in paced(sockets) if item[1].user == user]
            concerned = [item for item in found if in_browser(type(item[1].session))]
            self._later.add(come_back, concerned, SETTLE)

    def _change_user(self, event: Event, sockets: Sockets) -> None:
        identify(sockets)
        found = [item for item in paced(sockets) if item[1].user == event["user"]]
        if "valid" not in event:
            _close(found, event["code"], event.get("reason", ""))
            return
        doubtful = [
            (socket, opened)
            for socket, opened in found
            if opened.session_user == event["user"] and not _knows_password(opened, event["valid"])
        ]
        self._later.add(review, doubtful, SETTLE)
        recheck(Change.of_users([event["user"]]), found)

    def refuse_ended(self, sockets: Sockets) -> None:
        """The cookie of a session that has ended may still be valid for a moment."""
        for socket, opened in sockets:
            if self._ended and opened.key and digest(opened.key) in self._ended:
                identify(sockets)
                if opened.user is not None:
                    socket.close(LOGGED_OUT)


def _of_session(wanted: str, sockets: Sockets) -> list[tuple[Any, OpenSocket]]:
    return [
        (socket, opened)
        for socket, opened in paced(sockets)
        if (key := opened.key) and digest(key) == wanted
    ]


def _close(sockets: Sockets, code: int, reason: str = "") -> None:
    for socket, _ in paced(sockets):
        with closing_in_doubt(socket):
            socket.close(code, reason)


def _knows_password(opened: OpenSocket, valid: Collection[str]) -> bool:
    known = opened.session.get(HASH_SESSION_KEY) if opened.loaded else None
    return known is not None and digest(known) in valid


#: The fields of an event, and their types.
_TYPES: dict[str, type] = {
    "session": str, "replaced": str, "by": str, "user": str, "reason": str,
    "code": int, "valid": list, "change": dict,
}  # fmt: skip

#: The fields that it must have, by the first of these names that it has.
_KINDS = {"change": (), "session": ("code",), "replaced": ("by",), "user": ("code",)}


def understand(message: Message) -> Event | None:
    """The event; None if it is invalid, or of another version of this library."""
    try:
        event: Event = message.data
        kind = next(name for name in _KINDS if name in event)
        typed = all(isinstance(event[name], _TYPES.get(name, object)) for name in event)
        check_close(event.get("code", LOGGED_OUT), event.get("reason", ""))
        change = Change.from_event(event.get("change", {}))
        texts = all(isinstance(pk, str) for pk in (*change.users, *change.groups))
        if typed and texts and all(name in event for name in _KINDS[kind]):
            return event
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is no event
        logger.debug("%r: %r", message, error)
    logger.warning("Ignored %r, which is no session event that this version knows", message)
    return None
