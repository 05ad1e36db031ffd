"""Sockets obey the session: who logs out, or is shut out, loses the open sockets as well.

===========================  ==========  ========================================================
what happens, anywhere       close code  which sockets
===========================  ==========  ========================================================
``logout()``                 4401        those of the session
the password is changed      4401        the user's, but for sessions that know the new password
``is_active`` is turned off  4403        the user's
the user is deleted          4403        the user's
a permission is taken away   4403        the user's that ask for it (``@websocket(permission=…)``)
:func:`disconnect_user`      its own     the user's
===========================  ==========  ========================================================

Processes tell each other over ``WEBSOCKET_BROKER``. A change that sends no signal of Django's
(``QuerySet.update()``, SQL) is told with :func:`disconnect_user` or :func:`recheck_permissions`.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty
from gevent import monkey

from .database import release_connections
from .errors import BrokerError
from .permissions import Change, holds
from .pubsub import publish_on_commit, subscribe

__all__ = ["disconnect_user", "follow_session", "forget_session", "recheck_permissions"]

logger = logging.getLogger("django_websocket")

CHANNEL = "django_websocket.sessions"

#: 4000 + the HTTP status that the next handshake would get.
LOGGED_OUT, FORBIDDEN = 4401, 4403

#: What cannot be found out now, the next handshake will.
_LATER = 1013

#: Seconds before the broker is asked again, after it did not answer.
_RETRY = 1.0


class _Open(NamedTuple):
    """The request that a socket began with, and the permissions that its view asks for."""

    request: HttpRequest
    permissions: tuple[str, ...]


#: The sockets that are open in this process.
_open: dict[Any, _Open] = {}
_listener: threading.Thread | None = None


def disconnect_user(user: Any, code: int = FORBIDDEN, reason: str = "") -> None:
    """Close the open sockets of ``user`` in every process, once the transaction is committed."""
    _tell(user=str(user.pk), code=code, reason=reason)


def recheck_permissions(*users: Any) -> None:
    """Have every process check anew what the sockets of ``users`` may, once the transaction is
    committed; without users, all sockets whose view asks for a permission."""
    _tell(change=Change.of_users(user.pk for user in users).as_event())


def follow_session(request: HttpRequest, socket: Any, permissions: Collection[str] = ()) -> None:
    """Let the end of the session, or of a permission, be the socket's, too."""
    _open[socket] = _Open(request, tuple(permissions))
    _listen()


def forget_session(socket: Any) -> None:
    """The socket has ended by itself."""
    del _open[socket]


# Receivers of Django's signals


def on_logout(request: HttpRequest | None, **kwargs: Any) -> None:
    session = getattr(request, "session", None)
    if session is not None and session.session_key:
        _tell(session=_digest(session.session_key), code=LOGGED_OUT)


def on_user_saved(
    instance: Any, created: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    if created or update_fields == frozenset({"last_login"}):
        return
    if not getattr(instance, "is_active", True):
        disconnect_user(instance)
    elif hasattr(instance, "get_session_auth_hash"):
        hashes = [instance.get_session_auth_hash(), *instance.get_session_auth_fallback_hash()]
        valid = [_digest(value) for value in hashes]
        _tell(user=str(instance.pk), valid=valid, code=LOGGED_OUT)
    else:
        recheck_permissions(instance)


def on_user_deleted(instance: Any, **kwargs: Any) -> None:
    disconnect_user(instance)


def on_permissions_changed(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: set[Any] | None, **kwargs: Any
) -> None:
    """``user.user_permissions``, ``user.groups`` or ``group.permissions``, from either side."""
    if action.startswith("post_"):
        change = Change.of_relation(sender, instance, pk_set, reverse=reverse)
        _tell(change=change.as_event())


def on_permissions_deleted(**kwargs: Any) -> None:
    """A group, or a permission itself: who had it is not known any longer."""
    recheck_permissions()


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
                    if event.gap:
                        _review()
                    else:
                        _obey(event.data)
        except BrokerError as error:
            if not away:
                logger.warning("Cannot hear of logouts until the broker is back: %s", error)
            away = True
            time.sleep(_RETRY)


def _obey(event: dict[str, Any]) -> None:
    """Close the sockets that the event concerns. An error costs a socket, never the hearing."""
    try:
        for socket, (request, _) in list(_open.items()):
            if "code" in event:
                with _closing_in_doubt(socket):
                    if _concerns(event, request):
                        socket.close(event["code"], event.get("reason", ""))
        if "change" in event:
            _recheck(Change.from_event(event["change"]))
        elif "valid" in event:
            _recheck(Change.of_users([event["user"]]))
    finally:
        release_connections()  # a session that was not loaded yet has been by now


def _review() -> None:
    """Events are missing: look at everything that they may have said."""
    try:
        for socket, (request, _) in list(_open.items()):
            with _closing_in_doubt(socket):
                if _logged_out(request):
                    socket.close(LOGGED_OUT)
            time.sleep(0)  # other greenlets have their turn
        _recheck(Change())
    finally:
        release_connections()


def _logged_out(request: HttpRequest) -> bool:
    """Whether a session that had a user has this user no longer."""
    user = _known_user(request)
    session = getattr(request, "session", None)
    if user is None or session is None or session.get(SESSION_KEY) is None:
        return False
    now = HttpRequest()
    now.session = type(session)(session.session_key)
    return bool(get_user(now).pk != user.pk)


def _recheck(change: Change) -> None:
    asking = [
        (socket, user, permissions)
        for socket, (request, permissions) in list(_open.items())
        if permissions and (user := _known_user(request)) is not None
    ]
    pks = {user.pk for _, user, _ in asking}
    try:
        concerned = change.concerned(pks) if pks else pks
    except Exception:
        logger.exception("Could not find out whom a change of permissions concerns")
        concerned = pks
    for socket, user, permissions in asking:
        if user.pk in concerned:
            with _closing_in_doubt(socket):
                if not holds(user, permissions):
                    socket.close(FORBIDDEN)
            time.sleep(0)  # other greenlets have their turn


@contextlib.contextmanager
def _closing_in_doubt(socket: Any) -> Iterator[None]:
    """An error closes the socket, so that it comes back with a handshake."""
    try:
        yield
    except Exception:
        logger.exception("Could not check %r", socket)
        with contextlib.suppress(Exception):
            socket.close(_LATER, "try again later")


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
