"""Which users a change of permissions affects, and who still has a view's permissions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Self

from django.apps import apps
from django.contrib.auth import get_user_model

__all__ = ["Change", "holds"]

#: A change with more primary keys than this affects everyone: it has to fit into a message.
_LONGEST = 1000

#: Primary keys in one query.
_BATCH = 500


class Change(NamedTuple):
    """The primary keys, as text, of the users and groups whose permissions may have changed.

    Without either it affects everyone.
    """

    users: Collection[str] = ()
    groups: Collection[str] = ()

    @classmethod
    def of_users(cls, pks: Iterable[Any]) -> Self:
        """A change that affects the users with these primary keys."""
        return cls(users=_short(pks))

    @classmethod
    def of_relation(
        cls, through: Any, instance: Any, pks: set[Any] | None, *, reverse: bool
    ) -> Self:
        """As Django's ``m2m_changed`` reports it. None for ``pks``: everything was removed."""
        owners = _short((pks or ()) if reverse else (instance.pk,))
        of_a_group = through is apps.get_model("auth.Group").permissions.through
        return cls(groups=owners) if of_a_group else cls(users=owners)

    @classmethod
    def from_event(cls, event: Mapping[str, Collection[str]]) -> Self:
        """The change that :meth:`as_event` has written."""
        return cls(frozenset(event.get("users", ())), frozenset(event.get("groups", ())))

    def as_event(self) -> dict[str, list[str]]:
        """This change as JSON-serialisable data; :meth:`from_event` reads it."""
        return {"users": list(self.users), "groups": list(self.groups)}

    def concerned(self, pks: Collection[Any]) -> set[Any]:
        """Which of these users it affects. Queries the database for groups."""
        if not self.users and not self.groups:
            return set(pks)
        found = {pk for pk in pks if str(pk) in self.users}
        rest = [pk for pk in pks if pk not in found]
        for start in range(0, len(rest) if self.groups else 0, _BATCH):
            batch: Any = {"groups__in": self.groups, "pk__in": rest[start : start + _BATCH]}
            members = get_user_model()._default_manager.filter(**batch)
            found.update(members.values_list("pk", flat=True))
        return found


def holds(user: Any, permissions: Collection[str]) -> bool:
    """Whether the user has all of these permissions now, ignoring cached ones."""
    model = get_user_model()
    if isinstance(user, model):
        user = model._default_manager.filter(pk=user.pk).first()
    return user is not None and bool(user.has_perms(permissions))


def _short(pks: Iterable[Any]) -> list[str]:
    texts = sorted(str(pk) for pk in pks)
    return texts if len(texts) <= _LONGEST else []
