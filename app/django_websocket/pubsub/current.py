"""The one hub of this process, made when it is first needed."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

from django.core.signals import setting_changed

from ..conf import get_options
from .broker import make_broker
from .hub import Hub

__all__ = ["get_hub"]

_hub: Hub | None = None
_lock = threading.Lock()


def get_hub() -> Hub:
    """The hub on ``WEBSOCKET_BROKER``. Raises :class:`~django_websocket.errors.ImproperSetting`."""
    global _hub
    if _hub is None:
        with _lock:
            if _hub is None:
                _hub = Hub(make_broker(get_options().broker))
    return _hub


def _forget(*, setting: str, **kwargs: Any) -> None:
    global _hub
    if setting == "WEBSOCKET_BROKER" and _hub is not None:
        _hub.close()
        _hub = None


def _at_exit() -> None:
    """Who is present in this process leaves; otherwise that is noticed only after a while."""
    if _hub is not None:
        _hub.say_goodbye()


def _after_fork() -> None:
    """A child has neither the threads nor, to itself, the connections of its parent."""
    global _hub, _lock
    _hub, _lock = None, threading.Lock()


setting_changed.connect(_forget)
atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
