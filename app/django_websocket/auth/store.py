"""What session stores hold now, regardless of what a request has loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.sessions.backends import db, signed_cookies
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone

from django_websocket.connection.scheduler import share

__all__ = ["in_browser", "stored", "user_in"]

SessionEngine = type[SessionBase]
Data = Mapping[str, Any]

#: Keys in one query, where the database has no limit of its own.
_BATCH = 10_000


def in_browser(engine: SessionEngine) -> bool:
    """Whether a session is its cookie, so that only the browser has its current state."""
    return issubclass(engine, signed_cookies.SessionStore)


def stored(engine: SessionEngine, keys: Collection[str]) -> dict[str, Data]:
    """The data, by key, of the sessions that a handshake would find: they exist, unexpired.

    One query for all of them if they are in the database; other engines are asked for one after
    the other. Raises what the engine raises.
    """
    if not issubclass(engine, db.SessionStore):
        return dict(_one_by_one(engine, keys))
    found = _rows(engine, list(keys))
    if engine.load is not db.SessionStore.load:  # it has a cache in front, which counts as well
        found.update(_one_by_one(engine, [key for key in keys if key not in found]))
    return found


def user_in(session: Data | SessionBase) -> str | None:
    """The primary key, as text, of the user whose session this is."""
    value = session.get(SESSION_KEY)
    if value is None:
        return None
    try:
        return str(get_user_model()._meta.pk.to_python(value))
    except ValidationError:
        return None


def _rows(engine: Any, keys: list[str]) -> dict[str, Data]:
    sessions = engine.get_model_class().objects.filter(expire_date__gt=timezone.now())
    connection = connections[sessions.db]
    connection.ensure_connection()  # Django 6.0 asks SQLite itself for the bound
    most = connection.features.max_query_params
    batch = min(most - 1, _BATCH) if most else _BATCH
    found, store = {}, engine()
    for start in range(0, len(keys), batch):
        rows = sessions.filter(session_key__in=keys[start : start + batch])
        for key, text in list(rows.values_list("session_key", "session_data")):
            share()
            found[key] = store.decode(text)
    return found


def _one_by_one(engine: Any, keys: Collection[str]) -> Iterator[tuple[str, Data]]:
    for key in keys:
        share()
        store = engine(key)
        # load() takes an unreachable cache for an empty one; exists() raises.
        if (data := store.load()) or (not in_browser(engine) and _exists(store, key)):
            yield key, data


def _exists(store: Any, key: str) -> bool:
    # A row in the database may have expired, which exists() does not check.
    return not isinstance(store, db.SessionStore) and store.exists(key)
