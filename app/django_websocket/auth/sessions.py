"""Sockets follow the session: a logout, or the loss of access, closes the open sockets too.

=================================  ==========  ==================================================
what happens, anywhere             close code  which sockets
=================================  ==========  ==================================================
``logout()``                       4401        those of the session
another user logs in, in the same  4401        those of the session that this replaces
browser
the password is changed            4401        the user's, but for sessions that know the new one
the same, and the session has a    1012        those of the session: it comes back with its new
new key since, as of the one that              cookie
made the change
a session is deleted or expires    1012        those of the session, if it has a user, within
                                               ``WEBSOCKET_SESSION_CHECK_INTERVAL``
``is_active`` is turned off        4403        the user's
the user is deleted                4403        the user's
a permission is taken away         4403        the user's that ask for it
                                               (``@websocket(permission=…)``)
:func:`disconnect_user`            its own     the user's
=================================  ==========  ==================================================

With 1012 the next handshake decides, by the cookie that the browser has by then. If the session
is the cookie itself (``signed_cookies``), a logout, another login or a change of the password
closes all sockets of the user with 1012, since no process can know which are the session's.

An anonymous socket stays open when its visitor logs in, or when its session ends.

Processes notify each other over ``WEBSOCKET_BROKER``: the receivers below publish an event, which
:mod:`.listener` receives in every process and :mod:`.events` applies to its sockets.

After a change that sends no Django signal (``QuerySet.update()``, SQL), call
:func:`disconnect_user` or :func:`recheck_permissions`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.db import router
from django.db.models import Model
from django.http import HttpRequest

from django_websocket.pubsub import publish_on_commit
from django_websocket.pubsub.commits import on_commit
from django_websocket.pubsub.users import User, key_of
from django_websocket.rfc6455.protocol import check_close

from .events import digest
from .listener import CHANNEL, follow, forget, on_handshake, taps
from .permissions import Change
from .review import FORBIDDEN, LOGGED_OUT, OpenSocket
from .store import in_browser, user_in

__all__ = ["disconnect_user", "follow_session", "forget_session", "recheck_permissions"]


def disconnect_user(user: User, code: int = FORBIDDEN, reason: str = "") -> None:
    """Close the open sockets of ``user`` in every process, once the transaction is committed.

    Raises ``ValueError`` for a code that may not be sent (RFC 6455 section 7.4), for a reason of
    more than 123 bytes and for a user that is not saved; ``TypeError`` for other types.
    """
    check_close(code, reason)
    pk = key_of(user)
    _publish(_using(user), user=pk, code=code, reason=reason)


def recheck_permissions(*users: User) -> None:
    """Have every process recheck the permissions of the sockets of ``users``, once the transaction
    is committed; without users, of all sockets whose view requires a permission.

    Raises ``ValueError`` for a user that is not saved, ``TypeError`` for anything but a user.
    """
    change = Change.of_users([key_of(user) for user in users])
    _publish(_using(users[0]) if users else None, change=change.as_event())


def follow_session(request: HttpRequest, socket: Any, permissions: Collection[str] = ()) -> None:
    """Close the socket when its session or its permission ends."""
    follow(socket, OpenSocket(request, tuple(permissions)))


def forget_session(socket: Any) -> None:
    """The socket has ended by itself."""
    forget(socket)


# Receivers of Django's signals


def on_request_started(environ: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
    socket = environ.get("wsgi.websocket") if environ is not None else None
    if socket is not None:
        on_handshake(socket)


def on_logout(request: HttpRequest | None, **kwargs: Any) -> None:
    session = getattr(request, "session", None)
    if session is not None and session.session_key:
        event = {"session": digest(session.session_key), "code": LOGGED_OUT}
        if in_browser(type(session)) and (user := user_in(session)):
            event["user"] = user
        _publish(None, **event)


def on_login(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """If it was another user's, Django has flushed the session that the browser came with."""
    session = getattr(request, "session", None)
    before = getattr(request, "COOKIES", {}).get(settings.SESSION_COOKIE_NAME)
    if session is None or session.session_key or not before:
        return
    event = {"replaced": digest(before), "by": str(user.pk)}
    if in_browser(type(session)) and (previous := user_in(type(session)(before))):
        event["user"] = previous
    _publish(None, **event)


def on_user_saved(
    instance: Any,
    created: bool,
    update_fields: frozenset[str] | None,
    using: str | None = None,
    **kwargs: Any,
) -> None:
    if created or update_fields == frozenset({"last_login"}):
        return
    user = str(instance.pk)
    if not getattr(instance, "is_active", True):
        _publish(using, user=user, code=FORBIDDEN)
    elif hasattr(instance, "get_session_auth_hash"):
        hashes = [instance.get_session_auth_hash(), *instance.get_session_auth_fallback_hash()]
        valid = [digest(value) for value in hashes]
        _publish(using, user=user, valid=valid, code=LOGGED_OUT)
    else:
        _publish(using, change=Change.of_users([user]).as_event())


def on_user_deleted(instance: Any, using: str | None = None, **kwargs: Any) -> None:
    _publish(using, user=str(instance.pk), code=FORBIDDEN)


def on_permissions_changed(
    sender: Any,
    instance: Any,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str | None = None,
    **kwargs: Any,
) -> None:
    """``user.user_permissions``, ``user.groups`` or ``group.permissions``, from either side."""
    if action.startswith("post_"):
        change = Change.of_relation(sender, instance, pk_set, reverse=reverse)
        _publish(using, change=change.as_event())


def on_permissions_deleted(using: str | None = None, **kwargs: Any) -> None:
    """A group, or a permission itself, was deleted: nobody knows any longer who had it."""
    _publish(using, change=Change().as_event())


def _publish(using: str | None, **event: Any) -> None:
    for tap in taps:
        on_commit(partial(tap, event), using)
    # With history, so that a process that was cut off from the broker catches up later.
    publish_on_commit(CHANNEL, event, using=using)


def _using(user: Any) -> str | None:
    """The database whose transaction the event waits for."""
    if not isinstance(user, Model):
        return None
    return router.db_for_write(type(user), instance=user)
