"""Applies events about sessions and users, from any process, to the sockets of this one.

Two greenlets run in the background from the first handshake on: one applies the events that
processes publish, the other does what has to be done later, or takes long. Neither can die: a
failure is logged, and then every socket is checked.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from django.core.signals import setting_changed
from gevent import monkey

from django_websocket.errors import BrokerError
from django_websocket.pubsub import subscribe
from django_websocket.pubsub.backoff import Backoff
from django_websocket.pubsub.message import Message, ReservedChannel

from .events import Enforcer, Event, understand
from .review import OpenSocket, open_sockets, review
from .schedule import Schedule, release, start

__all__ = ["CHANNEL", "follow", "forget", "on_handshake", "taps"]

logger = logging.getLogger("django_websocket")

CHANNEL = ReservedChannel("django_websocket.auth.sessions")

#: Seconds that the first handshakes of a process wait for the subscription.
_PATIENCE = 0.25

#: How many events are kept for handshakes that are under way.
_RECENT = 1000

#: Called with each event of this process, in its thread, when its transaction is committed. While
#: there are any, nothing runs in the background: a test applies events itself, when it waits.
taps: list[Callable[[Event], None]] = []


def on_handshake(socket: Any) -> None:
    """Called before the handshake is decided: events from now on apply to it."""
    # If gevent has not patched, these would be threads, which must not touch the hub's sockets.
    if monkey.is_module_patched("threading") and not taps:
        _background().begin(socket)


def follow(socket: Any, opened: OpenSocket) -> None:
    """Close the socket when its session or its permission ends."""
    open_sockets[socket] = opened
    if _listener is not None:
        _listener.catch_up(socket, opened)


def forget(socket: Any) -> None:
    """The socket has ended by itself."""
    open_sockets.pop(socket, None)


class _Listener:
    """Applies events from the first handshake on; each later handshake catches up with them."""

    def __init__(self) -> None:
        #: The id of the last event; None until the channel is subscribed to.
        self._position: str | None = None
        #: The last events by id; None: one that could not be understood.
        self._recent: deque[tuple[str, Event | None]] = deque(maxlen=_RECENT)
        #: The last event before each handshake that is under way.
        self._began: weakref.WeakKeyDictionary[Any, str | None] = weakref.WeakKeyDictionary()
        self._tried = threading.Event()
        self._schedule = Schedule()
        self._enforcer = Enforcer(self._schedule)
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
        """Apply the events since the handshake began, when the socket was not known yet."""
        began = self._began.pop(socket, None)
        if self._position is None:
            return  # every socket will be checked
        sockets = [(socket, opened)]
        if began is None or self._has_lost(began):
            self._schedule.add(review, sockets)
        elif began != self._position:
            for position, event in list(self._recent):
                if position > began:
                    self._enforcer.obey(event, sockets)
        self._enforcer.refuse_ended(sockets)

    def _has_lost(self, position: str) -> bool:
        return len(self._recent) == _RECENT and self._recent[0][0] > position

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
                    logger.warning(
                        "Cannot close sockets on logout until the broker is back: %s", error
                    )
            except Exception:
                logger.exception("Could not read session events")
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
        event = None if message.gap else understand(message)
        # No other greenlet has its turn between these lines: a socket is among the open ones, or
        # finds the event when it catches up.
        self._position = message.id
        self._recent.append((message.id, event))
        sockets = list(open_sockets.items())
        try:
            if event is None:
                self._schedule.review_all()
            else:
                self._enforcer.obey(event, sockets)
        finally:
            release()


_listener: _Listener | None = None
_making = threading.Lock()


def _background() -> _Listener:
    global _listener
    if _listener is None or not _listener.alive:
        with _making:  # other greenlets run while its threads start
            if _listener is None or not _listener.alive:
                _listener = _Listener()
    return _listener


def _forget(*, setting: str, **kwargs: Any) -> None:
    """A test has another broker, to which the next handshake listens."""
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
