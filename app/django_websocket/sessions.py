"""Sockets obey the session: who logs out, or is shut out, loses the open sockets as well.

===========================  ==========  ========================================================
what happens, anywhere       close code  which sockets
===========================  ==========  ========================================================
``logout()``                 4401        those of the session
the password is changed      4401        the user's, but for sessions that know the new password
``is_active`` is turned off  4403        the user's
the user is deleted          4403        the user's
:func:`disconnect_user`      its own     the user's
===========================  ==========  ========================================================

Processes tell each other over ``WEBSOCKET_BROKER``. A change that sends no signal of Django's
(``QuerySet.update()``, SQL) is told with :func:`disconnect_user`.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty
from gevent import monkey

from .database import release_connections
from .errors import BrokerError
from .pubsub import publish_on_commit, subscribe

__all__ = ["disconnect_user", "follow_session"]

logger = logging.getLogger("django_websocket")

CHANNEL = "django_websocket.sessions"

#: 4000 + the HTTP status that the next handshake would get.
LOGGED_OUT, FORBIDDEN = 4401, 4403

#: Seconds before the broker is asked again, after it did not answer.
_RETRY = 1.0

#: The sockets that are open in this process, and the requests they began with.
_open: dict[Any, HttpRequest] = {}
_listener: threading.Thread | None = None


def disconnect_user(user: Any, code: int = FORBIDDEN, reason: str = "") -> None:
    """Close the open sockets of ``user`` in every process, once the transaction is committed."""
    _tell(user=str(user.pk), code=code, reason=reason)


@contextlib.contextmanager
def follow_session(request: HttpRequest, socket: Any) -> Iterator[None]:
    """Let the session's end be the socket's, too."""
    _open[socket] = request
    _listen()
    try:
        yield
    finally:
        del _open[socket]


# Receivers of Django's signals


def on_logout(request: HttpRequest | None, **kwargs: Any) -> None:
    session = getattr(request, "session", None)
    if session is not None and session.session_key:
        _tell(session=_digest(session.session_key), code=LOGGED_OUT)


def on_user_saved(
    instance: Any, created: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    if created or not {"password", "is_active"}.intersection(update_fields or ("password",)):
        return
    if not getattr(instance, "is_active", True):
        disconnect_user(instance)
    elif hasattr(instance, "get_session_auth_hash"):
        hashes = [instance.get_session_auth_hash(), *instance.get_session_auth_fallback_hash()]
        valid = [_digest(value) for value in hashes]
        _tell(user=str(instance.pk), valid=valid, code=LOGGED_OUT)


def on_user_deleted(instance: Any, **kwargs: Any) -> None:
    disconnect_user(instance)


# Between the processes


def _tell(**event: Any) -> None:
    # With history, so that a process that was cut off from the broker hears of it later.
    publish_on_commit(CHANNEL, event)


def _listen() -> None:
    global _listener
    # Without gevent's patching this would be a thread, which must not touch a socket of the hub.
    if _listener is None and monkey.is_module_patched("threading"):
        _listener = threading.Thread(target=_hear, name="django-websocket-sessions", daemon=True)
        _listener.start()


def _hear() -> None:
    since: str | None = None
    away = False
    while True:
        try:
            with subscribe(CHANNEL, since=since) as events:
                away = False
                for event in events:
                    since = event.id
                    if not event.gap:
                        _obey(event.data)
        except BrokerError as error:
            if not away:
                logger.warning("Cannot hear of logouts until the broker is back: %s", error)
            away = True
            time.sleep(_RETRY)


def _obey(event: dict[str, Any]) -> None:
    for socket, request in list(_open.items()):
        if _concerns(event, request):
            try:
                socket.close(event["code"], event.get("reason", ""))
            except Exception:
                logger.exception("Could not close %r", socket)
    release_connections()  # a session that was not loaded yet has been by now


def _concerns(event: dict[str, Any], request: HttpRequest) -> bool:
    if "session" in event:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        return key is not None and _digest(key) == event["session"]
    user = _known_user(request)
    if user is None or str(user.pk) != event["user"]:
        return False
    if "valid" not in event:
        return True
    known = request.session.get(HASH_SESSION_KEY) if hasattr(request, "session") else None
    return known is not None and _digest(known) not in event["valid"]


def _known_user(request: HttpRequest) -> Any:
    """The request's user, unless nobody has looked at it yet; that must not ask the database."""
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject) and user._wrapped is empty:
        return None
    return user


def _digest(secret: str) -> str:
    """Both kinds of secret are random enough to need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
