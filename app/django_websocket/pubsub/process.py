"""The one dispatcher of this process, made when it is first needed."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

from django.core.signals import setting_changed

from django_websocket.conf import get_options

from .brokers.base import make_broker
from .dispatcher import Dispatcher

__all__ = ["get_dispatcher"]

_dispatcher: Dispatcher | None = None
_lock = threading.Lock()


def get_dispatcher() -> Dispatcher:
    """The dispatcher on ``WEBSOCKET_BROKER``.

    Raises :class:`~django_websocket.errors.ImproperSetting`.
    """
    global _dispatcher
    if _dispatcher is None:
        with _lock:
            if _dispatcher is None:
                _dispatcher = Dispatcher(make_broker(get_options().broker))
    return _dispatcher


def _forget(*, setting: str, **kwargs: Any) -> None:
    global _dispatcher
    if setting == "WEBSOCKET_BROKER" and _dispatcher is not None:
        _dispatcher.close()
        _dispatcher = None


def _at_exit() -> None:
    """Who is present in this process leaves; otherwise that is noticed only after a while."""
    if _dispatcher is not None:
        _dispatcher.say_goodbye()


def _after_fork() -> None:
    """A child has neither the threads nor, to itself, the connections of its parent."""
    global _dispatcher, _lock
    _dispatcher, _lock = None, threading.Lock()


setting_changed.connect(_forget)
atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
