"""The open sockets of this process, and whether a new handshake would let each in again.

A decision never uses what a request has loaded: hours may have passed, and the page that changed a
password saves its session after the user. The stored session and the user are read again.
"""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user,
    get_user_model,
)
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from django_websocket.connection.scheduler import share

from .permissions import Change, holds
from .store import Data, SessionEngine, in_browser, stored, user_in

__all__ = [
    "COME_BACK",
    "FORBIDDEN",
    "LOGGED_OUT",
    "OpenSocket",
    "closing_in_doubt",
    "come_back",
    "find_gone",
    "identify",
    "open_sockets",
    "paced",
    "recheck",
    "review",
    "review_all",
    "rules",
]

logger = logging.getLogger("django_websocket")

#: 4000 + the HTTP status that the next handshake would get.
LOGGED_OUT, FORBIDDEN = 4401, 4403

#: The next handshake decides, as only the browser's cookie at that time can tell.
COME_BACK = 1012, "the session has changed"

#: The next handshake finds out what cannot be found out now.
_LATER = 1013, "try again later"

_UNKNOWN: Any = object()


class OpenSocket:
    """A socket's request, and the permissions that its view requires."""

    __slots__ = ("_found", "permissions", "request")

    def __init__(self, request: HttpRequest, permissions: tuple[str, ...] = ()) -> None:
        self.request = request
        self.permissions = permissions
        #: The user of a session that the request itself has not loaded.
        self._found: str | None = _UNKNOWN

    @property
    def session(self) -> Any:
        """The session of the handshake's request; None without ``SessionMiddleware``."""
        return getattr(self.request, "session", None)

    @property
    def key(self) -> str | None:
        """The key of the session. It is the cookie's unless the request has changed it."""
        cookie = self.request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        return getattr(self.session, "session_key", None) or cookie

    @property
    def user(self) -> str | None:
        """The primary key, as text, of the user that the view finds in ``request.user``.

        Before :func:`identify` it is None if the view has not looked, as for an anonymous user.
        """
        user = getattr(self.request, "user", None)
        if user is None or _is_unasked(user):
            return None if self._found is _UNKNOWN else self._found
        pk = getattr(user, "pk", None)
        return None if pk is None else str(pk)

    @property
    def unknown(self) -> bool:
        """Whether the user is still to be identified: neither the view nor a check has looked."""
        user = getattr(self.request, "user", None)
        return self._found is _UNKNOWN and (user is None or _is_unasked(user))

    @property
    def loaded(self) -> bool:
        """Whether the session can be read without a query.

        Django has no public name for that: middleware may reset ``session.accessed``.
        """
        session = self.session
        return session is not None and (
            hasattr(session, "_session_cache") or not self.key or in_browser(type(session))
        )

    @property
    def session_user(self) -> str | None:
        """The user of the session, which need not be the view's: for example with tokens, or if
        staff impersonates a user."""
        if self.loaded:
            return user_in(self.session)
        return None if self._found is _UNKNOWN else self._found

    def identify(self, data: Data) -> None:
        """Find the user. ``data`` is the stored session, if it is not loaded."""
        session, loaded = self.session, self.loaded
        self._found = None if session is None else user_in(session if loaded else data)
        if self._found is None:
            if session is not None and not loaded:
                # What it would load by itself now, by a query of its own: Django's request.user
                # asks it, and any other one's may know a user by a token, say.
                session._session_cache = dict(data)
            getattr(getattr(self.request, "user", None), "pk", None)


Sockets = Iterable[tuple[Any, OpenSocket]]

open_sockets: dict[Any, OpenSocket] = {}

#: What checks the channels that a client has chosen, for the sockets whose view has a rule.
rules: dict[Any, Callable[[], None]] = {}


def identify(sockets: Sockets) -> None:
    """Find the user of each socket whose view has not looked, with one query for all."""
    unknown = [(socket, opened) for socket, opened in sockets if opened.unknown]
    with _giving_up(unknown):
        data = _stored(opened for _, opened in unknown if not opened.loaded)
        for socket, opened in paced(unknown):
            with closing_in_doubt(socket):
                opened.identify(data.get(_place(opened), {}))


def review(sockets: Sockets) -> None:
    """Close sockets that a new handshake would refuse, or might not recognise by session."""
    sockets = list(sockets)
    identify(sockets)
    concerned = [item for item in sockets if item[1].user is not None]
    with _giving_up(concerned):
        for (socket, _), end in _ends(concerned, _Users()):
            if end is not None:
                with closing_in_doubt(socket):
                    socket.close(*end)


def review_all(_: Sockets = ()) -> None:
    """The same for every socket, and for the permissions that views require."""
    sockets = list(open_sockets.items())
    review(sockets)
    recheck(Change(), sockets)


def find_gone(sockets: Sockets) -> Sockets:
    """The sockets whose session is no longer stored, or has expired.

    One query for all. Empty if the session store fails.
    """
    concerned = [item for item in sockets if item[1].user is not None or item[1].unknown]
    try:
        return [item for item, end in _ends(concerned, None) if end is not None]
    except Exception:
        logger.exception("Could not look for ended sessions")
        return []


def come_back(sockets: Sockets) -> None:
    """Have each socket reconnect, with the cookie that its browser has by then."""
    for socket, _ in paced(sockets):
        with closing_in_doubt(socket):
            socket.close(*COME_BACK)


def recheck(change: Change, sockets: Sockets) -> None:
    """Close the sockets that have lost a permission that their view requires."""
    sockets = list(sockets)
    _recheck_rules(change, sockets)
    asking = [
        (socket, opened)
        for socket, opened in sockets
        if opened.permissions and opened.user is not None
    ]
    pks = {opened.request.user.pk for _, opened in asking}
    try:
        concerned = change.concerned(pks) if pks else pks
    except Exception:
        logger.exception("Could not find the users that a change of permissions affects")
        concerned = pks
    held: dict[tuple[str | None, tuple[str, ...]], bool] = {}
    for socket, opened in paced(asking):
        if opened.request.user.pk in concerned:
            with closing_in_doubt(socket):
                case = opened.user, opened.permissions
                if case not in held:
                    held[case] = holds(opened.request.user, opened.permissions)
                if not held[case]:
                    socket.close(FORBIDDEN)


def _recheck_rules(change: Change, sockets: Sockets) -> None:
    """Have the sockets that are affected leave channels that their users may no longer follow."""
    if not rules:
        return
    asking = [item for item in sockets if item[0] in rules]
    pks = {opened.request.user.pk for _, opened in asking if opened.user is not None}
    concerned = change.concerned(pks) if pks else pks
    everyone = not change.users and not change.groups
    for socket, opened in paced(asking):
        with closing_in_doubt(socket):
            known = opened.user is not None and opened.request.user.pk in concerned
            if (known or everyone) and (check := rules.get(socket)):
                check()


@contextlib.contextmanager
def closing_in_doubt(socket: Any) -> Iterator[None]:
    """An error closes the socket, so that it reconnects with a new handshake."""
    try:
        yield
    except Exception:
        logger.exception("Could not check %r", socket)
        with contextlib.suppress(Exception):
            socket.close(*_LATER)


def paced(sockets: Sockets) -> Iterator[tuple[Any, OpenSocket]]:
    """The same sockets; other greenlets run in between."""
    for item in sockets:
        share()
        yield item


def _ends(
    sockets: Sockets, users: _Users | None
) -> Iterator[tuple[tuple[Any, OpenSocket], tuple[int, str] | None]]:
    """How each socket is to be closed, if at all."""
    sockets = list(sockets)
    data = _stored(opened for _, opened in sockets)
    for socket, opened in paced(sockets):
        end = None
        with closing_in_doubt(socket):
            found = data.get(_place(opened))
            if opened.unknown and opened.key:
                opened.identify(found or {})
            end = _end(opened, found, users)
        yield (socket, opened), end


def _end(opened: OpenSocket, found: Data | None, users: _Users | None) -> tuple[int, str] | None:
    """How the socket is to be closed, given what is stored of its session; None: not at all."""
    if opened.user is None:
        return None
    user = opened.session_user
    if user is None:
        exists = users is None or users.exists(opened.request.user)
        return None if exists else (FORBIDDEN, "")
    browser = in_browser(type(opened.session))
    if browser:
        found = type(opened.session)(opened.key).load()
    elif found is None:
        return COME_BACK  # it may only have changed its key
    if user_in(found or {}) == user and (users is None or users.verify(found or {})):
        return None
    return COME_BACK if browser else (LOGGED_OUT, "")


class _Users:
    """The users as they are now. Each is loaded once."""

    def __init__(self) -> None:
        self._answers: dict[Any, bool] = {}

    def verify(self, session: Data) -> bool:
        """Whether Django considers the session's user logged in."""
        case = tuple(map(session.get, (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)))
        if case not in self._answers:
            request = HttpRequest()
            request.session = _Detached(session)  # type: ignore[assignment]
            self._answers[case] = get_user(request).pk is not None
        return self._answers[case]

    def exists(self, user: Any) -> bool:
        """Whether the user exists and is active. True for a user that is not in the database."""
        model = get_user_model()
        if not isinstance(user, model):
            return True
        if user.pk not in self._answers:
            now = model._default_manager.filter(pk=user.pk).first()
            self._answers[user.pk] = now is not None and bool(getattr(now, "is_active", True))
        return self._answers[user.pk]


class _Detached(dict[str, Any]):
    """A session for ``get_user()``, which must not change the stored one: its new key would reach
    nobody."""

    def cycle_key(self) -> None:
        pass

    flush = dict.clear


def _stored(sockets: Iterable[OpenSocket]) -> dict[tuple[SessionEngine, str | None], Data]:
    """The stored data of these sockets' sessions, by :func:`_place`."""
    keys: dict[SessionEngine, set[str]] = defaultdict(set)
    for opened in sockets:
        engine, key = _place(opened)
        if key and opened.session is not None and not in_browser(engine):
            keys[engine].add(key)
    return {
        (engine, key): data
        for engine, wanted in keys.items()
        for key, data in stored(engine, wanted).items()
    }


def _place(opened: OpenSocket) -> tuple[SessionEngine, str | None]:
    return type(opened.session), opened.key


@contextlib.contextmanager
def _giving_up(sockets: Sockets) -> Iterator[None]:
    """An error that is not a single socket's closes them all, so that they reconnect."""
    try:
        yield
    except Exception:
        logger.exception(
            "Could not check the sessions of sockets; closing them so that they reconnect"
        )
        for socket, _ in paced(sockets):
            with contextlib.suppress(Exception):
                socket.close(*_LATER)


def _is_unasked(user: Any) -> bool:
    """Whether nobody has looked at ``request.user``. Django has no public name for that."""
    return isinstance(user, LazyObject) and user._wrapped is empty
