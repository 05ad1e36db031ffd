"""The one dispatcher of this process, created on first use."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import Any

from django.core import mail
from django.core.signals import setting_changed

from django_websocket.conf import get_options
from django_websocket.server import health

from .brokers.base import make_broker
from .dispatcher import Dispatcher

__all__ = ["get_dispatcher", "isolation", "known_dispatcher", "reaching_dispatcher"]

logger = logging.getLogger("django_websocket")

_dispatcher: Dispatcher | None = None
_lock = threading.Lock()


def get_dispatcher() -> Dispatcher:
    """The dispatcher on ``WEBSOCKET_BROKER``.

    Called only where no caller can pass one: by the functions of :mod:`.api`, and by the
    middleware. Everything else gets it, or this function, as an argument from
    :mod:`django_websocket.wsgi` or the test client.

    Raises :class:`~django_websocket.errors.ImproperSetting`.
    """
    global _dispatcher
    if _dispatcher is None:
        with _lock:
            if _dispatcher is None:
                options = get_options()
                _dispatcher = Dispatcher(make_broker(options.broker, options.history_size))
    return _dispatcher


def known_dispatcher() -> Dispatcher | None:
    """The dispatcher of this process, if anything has needed it yet."""
    return _dispatcher


_isolation_checked = False


def reaching_dispatcher() -> Dispatcher:
    """:func:`get_dispatcher`, for a call whose purpose are sockets of any process.

    Logs once where it cannot reach any: ``memory://`` in a process that serves none.
    """
    global _isolation_checked
    if not health.serves_sockets and not _isolation_checked:
        _isolation_checked = True
        if reason := isolation():
            logger.warning(reason)
    return get_dispatcher()


def isolation() -> str | None:
    """Why messages of this process reach nobody, and what to do; None if they may reach others."""
    # Django's test runner makes mail.outbox; tests of pages may publish without subscribers.
    if (
        health.serves_sockets
        or hasattr(mail, "outbox")
        or not get_options().broker.startswith("memory:")
    ):
        return None
    return (
        "Messages of this process reach nobody: it serves no sockets, and WEBSOCKET_BROKER is "
        "memory://, which stays within one process. Name a Redis that all processes can reach, "
        'such as WEBSOCKET_BROKER = "redis://localhost:6379/0"'
    )


def _forget(*, setting: str, **kwargs: Any) -> None:
    global _dispatcher
    if setting in ("WEBSOCKET_BROKER", "WEBSOCKET_HISTORY_SIZE") and _dispatcher is not None:
        _dispatcher.close()
        _dispatcher = None


def _at_exit() -> None:
    """Remove this process's presence entries, which would otherwise have to expire."""
    if _dispatcher is not None:
        _dispatcher.say_goodbye()


def _after_fork() -> None:
    """A forked child has no threads of its parent, and shares its connections."""
    global _dispatcher, _lock
    _dispatcher, _lock = None, threading.Lock()


setting_changed.connect(_forget)
atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
