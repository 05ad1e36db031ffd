"""The queries of nearly every handshake are compiled once: the session's and its user's.

Of a handshake with a session, Django's ORM spends two thirds on building these two anew. They give
the same rows; whatever might make a query differ from call to call leaves it to Django.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.db.models import Manager, QuerySet
from django.utils import timezone

__all__ = ["compile_once"]

#: Databases whose drivers take and give values as Django's fields and their converters have them.
_VENDORS = frozenset(("postgresql", "sqlite", "mysql"))

_django_load = SessionStore.load
_django_get_user = ModelBackend.get_user


def compile_once() -> None:
    """From now on Django's engine ``db`` and its ``ModelBackend`` use what has been compiled.

    So do backends of others that inherit ``get_user()``. Idempotent.
    """
    if SessionStore.load is _django_load:
        SessionStore.load = _load  # type: ignore[method-assign]
    if ModelBackend.get_user is _django_get_user:
        ModelBackend.get_user = _get_user  # type: ignore[method-assign]


def _load(self: Any) -> Any:
    if type(self) is not SessionStore:  # another class may find the row in its own way
        return _django_load(self)
    manager = self.model.objects
    by = {"expire_date__gt": timezone.now(), "session_key": self.session_key}
    select = _select(manager, ["session_data"], by)
    if select is None:
        return _django_load(self)
    row = select.row(list(by.values()))
    if row is None:
        self._session_key = None  # as Django's does
        return {}
    return self.decode(row[0])


def _get_user(self: Any, user_id: Any) -> Any:
    model = get_user_model()
    names = [field.attname for field in model._meta.concrete_fields]
    select = _select(model._default_manager, names, {"pk": user_id})
    if select is None:
        return _django_get_user(self, user_id)
    row = select.row([user_id])
    if row is None:
        return None
    user = model.from_db(select.alias, names, row)
    return user if self.user_can_authenticate(user) else None


class _Select:
    """The SQL for the columns of one row. ``compiler`` is Django's, of a query by ``fields``."""

    def __init__(self, alias: str, compiler: Any, sql: str, fields: list[Any]) -> None:
        self.alias = alias
        self._sql = sql
        self._fields = fields
        columns = [column for column, *_ in compiler.select]
        self._converters = list(compiler.get_converters(columns).items())

    def row(self, values: list[Any]) -> list[Any] | None:
        """The row with these values in its fields, or None."""
        connection = connections[self.alias]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, _prepared(self._fields, values, connection))
            found = cursor.fetchone()
        if found is None:
            return None
        row = list(found)
        for place, (converters, column) in self._converters:
            for convert in converters:
                row[place] = convert(row[place], column, connection)
        return row


def _prepared(fields: list[Any], values: list[Any], connection: Any) -> list[Any]:
    pairs = zip(fields, values, strict=True)
    return [field.get_db_prep_value(value, connection) for field, value in pairs]


#: What has been compiled, by model, database and its kind.
_selects: dict[tuple[type, str, str], _Select | None] = {}


def _select(manager: Any, names: list[str], by: dict[str, Any]) -> _Select | None:
    """The statement for columns of the manager's table, by lookups in the order of their names.

    None: Django has to compile it anew each time.
    """
    place = manager.model, manager.db, connections[manager.db].vendor
    try:
        return _selects[place]
    except KeyError:
        _selects[place] = select = _compile(manager, names, by)
        return select


def _compile(manager: Any, names: list[str], by: dict[str, Any]) -> _Select | None:
    alias, connection = manager.db, connections[manager.db]
    # A manager of your own may filter by what it finds at each call, such as a tenant.
    if connection.vendor not in _VENDORS or _get_queryset(manager) is not Manager.get_queryset:
        return None
    rows = manager.using(alias)
    if type(rows) is not QuerySet:
        return None
    compiler = rows.filter(**by).order_by().values_list(*names).query.get_compiler(alias)
    sql, found = compiler.as_sql()
    meta = manager.model._meta
    fields = [meta.pk if name == "pk" else meta.get_field(name.split("__")[0]) for name in by]
    columns = [column.target.attname for column, *_ in compiler.select]
    if columns != names or list(found) != _prepared(fields, list(by.values()), connection):
        return None
    return _Select(alias, compiler, sql, fields)


def _get_queryset(manager: Any) -> Any:
    return type(manager).get_queryset
