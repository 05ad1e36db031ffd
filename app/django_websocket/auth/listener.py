"""What happens to sessions and users anywhere reaches the sockets of this process.

Two greenlets run in the background from the first handshake on: one obeys the events that processes
publish, the other does what has to wait, or takes its time. Neither can die: what it cannot
understand or do is logged, and then every socket is looked at.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Collection
from hashlib import sha256
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.core.signals import setting_changed
from gevent import monkey

from django_websocket.errors import BrokerError
from django_websocket.pubsub import subscribe
from django_websocket.pubsub.backoff import Backoff
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
    open_sockets,
    paced,
    recheck,
    review,
)
from .schedule import (
    SETTLE,
    Schedule,
    release,
    start,
)
from .store import in_browser

__all__ = ["CHANNEL", "digest", "follow", "forget", "on_handshake"]

Event = dict[str, Any]

logger = logging.getLogger("django_websocket")

CHANNEL = "django_websocket.auth.sessions"

#: Seconds that the first handshakes of a process wait for the subscription.
_PATIENCE = 0.25

#: How many events are kept for handshakes that are under way, and how many sessions that ended.
_RECENT, _ENDED = 1000, 10_000


def digest(secret: str) -> str:
    """Both kinds of secret, keys and hashes, are random enough to need no salt."""
    return sha256(secret.encode()).hexdigest()


def on_handshake(socket: Any) -> None:
    """Called before anything of the handshake is decided: what happens from now on concerns it."""
    # Without gevent's patching these would be threads, which must not touch a socket of the hub.
    if monkey.is_module_patched("threading"):
        _background().begin(socket)


def follow(socket: Any, opened: OpenSocket) -> None:
    """Let the end of the session, or of a permission, be the socket's, too."""
    open_sockets[socket] = opened
    if _listener is not None:
        _listener.catch_up(socket, opened)


def forget(socket: Any) -> None:
    """The socket has ended by itself."""
    open_sockets.pop(socket, None)


class _Listener:
    """Obeys events from the first handshake on, and has each later one catch up."""

    def __init__(self) -> None:
        #: The id of the last event; None until the channel is subscribed to.
        self._position: str | None = None
        #: The last events by id; None: one that could not be understood.
        self._recent: deque[tuple[str, Event | None]] = deque(maxlen=_RECENT)
        #: The last sessions that were logged out of, as digests.
        self._ended: dict[str, None] = {}
        #: The last event before each handshake that is under way.
        self._began: weakref.WeakKeyDictionary[Any, str | None] = weakref.WeakKeyDictionary()
        self._tried = threading.Event()
        self._schedule = Schedule()
        self._thread = start(self._run, "django-websocket-sessions")

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and self._schedule.thread.is_alive()

    # For handshakes

    def begin(self, socket: Any) -> None:
        if self._position is None and not self._tried.is_set():
            self._tried.wait(_PATIENCE)
        self._began[socket] = self._position

    def catch_up(self, socket: Any, opened: OpenSocket) -> None:
        """Obey what has happened since the handshake began, when the socket was not known yet."""
        began = self._began.pop(socket, None)
        if self._position is None:
            return  # every socket will be looked at
        sockets = [(socket, opened)]
        if began is None or self._has_lost(began):
            self._schedule.add(review, sockets)
        elif began != self._position:
            for position, event in list(self._recent):
                if position > began:
                    self._obey(event, sockets)
        self._refuse_ended(sockets)

    def _has_lost(self, position: str) -> bool:
        return len(self._recent) == _RECENT and self._recent[0][0] > position

    def _refuse_ended(self, sockets: Sockets) -> None:
        """The cookie of a session that has been logged out of may be good for a moment more."""
        for socket, opened in sockets:
            if self._ended and opened.key and digest(opened.key) in self._ended:
                identify(sockets)
                if opened.user is not None:
                    socket.close(LOGGED_OUT)

    # In the background

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                with subscribe(CHANNEL, since=self._position) as events:
                    backoff.reset()
                    self._subscribed(events.subscribe(CHANNEL))
                    for message in events:
                        self._take(message)
            except BrokerError as error:
                if not backoff.failures:
                    logger.warning("Logouts go unnoticed until the broker is back: %s", error)
            except Exception:
                logger.exception("Could not read what happens to sessions")
                self._schedule.review_all()
            finally:
                self._tried.set()
            time.sleep(backoff.fail())

    def _subscribed(self, position: str) -> None:
        if self._position is None:
            self._position = position
            if open_sockets:
                self._schedule.review_all()
        self._tried.set()

    def _take(self, message: Message) -> None:
        event = None if message.gap else _understand(message)
        # No other greenlet has its turn between these lines: a socket is among the open ones, or
        # finds the event when it catches up.
        self._position = message.id
        self._recent.append((message.id, event))
        sockets = list(open_sockets.items())
        try:
            if event is None:
                self._schedule.review_all()
            else:
                self._obey(event, sockets)
        finally:
            release()

    def _obey(self, event: Event | None, sockets: Sockets) -> None:
        try:
            if event is None:
                self._schedule.add(review, sockets)
            elif "change" in event:
                recheck(Change.from_event(event["change"]), sockets)
            elif "session" in event:
                self._end_session(event, sockets)
            elif "replaced" in event:
                self._replace_session(event, sockets)
            else:
                self._change_user(event, sockets)
        except Exception:
            logger.exception("Could not obey %r", event)
            self._schedule.add(review, sockets)

    def _end_session(self, event: Event, sockets: Sockets) -> None:
        self._ended[event["session"]] = None
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]
        _close(_of_session(event["session"], sockets), event["code"])
        self._come_back_from_browser(event, sockets)

    def _replace_session(self, event: Event, sockets: Sockets) -> None:
        """Someone has logged in who is ``by``, on top of the session."""
        found = _of_session(event["replaced"], sockets)
        unknown = {socket for socket, opened in found if opened.unknown}
        identify(found)
        same = [
            (socket, opened)
            for socket, opened in found
            if opened.user == event["by"] or (socket in unknown and opened.user is None)
        ]
        self._schedule.add(come_back, same, SETTLE)
        others = [item for item in found if item not in same and item[1].user is not None]
        _close(others, LOGGED_OUT)
        self._come_back_from_browser(event, sockets)

    def _come_back_from_browser(self, event: Event, sockets: Sockets) -> None:
        """A cookie that is the session itself changes with it: any of the user's may be its."""
        if user := event.get("user"):
            identify(sockets)
            found = [item for item in paced(sockets) if item[1].user == user]
            concerned = [item for item in found if in_browser(type(item[1].session))]
            self._schedule.add(come_back, concerned, SETTLE)

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
        self._schedule.add(review, doubtful, SETTLE)
        recheck(Change.of_users([event["user"]]), found)


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


#: What an event may say, and of what type.
_TYPES: dict[str, type] = {
    "session": str, "replaced": str, "by": str, "user": str, "reason": str,
    "code": int, "valid": list, "change": dict,
}  # fmt: skip

#: What it must say with the first of these names that it has.
_KINDS = {"change": (), "session": ("code",), "replaced": ("by",), "user": ("code",)}


def _understand(message: Message) -> Event | None:
    """The event, unless it is none, or one of another version of this library."""
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
    logger.warning("%r says nothing of a session that is understood here", message)
    return None


_listener: _Listener | None = None
_making = threading.Lock()


def _background() -> _Listener:
    global _listener
    if _listener is None or not _listener.alive:
        with _making:  # others have their turn while its threads start
            if _listener is None or not _listener.alive:
                _listener = _Listener()
    return _listener


def _forget(*, setting: str, **kwargs: Any) -> None:
    """A test's broker is another one, to which the next handshake listens."""
    global _listener
    if setting == "WEBSOCKET_BROKER":
        _listener = None


def _after_fork() -> None:
    """A child has neither the threads nor the sockets of its parent."""
    global _listener, _making
    _listener, _making = None, threading.Lock()
    open_sockets.clear()


setting_changed.connect(_forget)
os.register_at_fork(after_in_child=_after_fork)
