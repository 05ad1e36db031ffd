"""The channel of a user: one for all the windows and devices."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote

from django.db.models import Model

from .message import MAX_CHANNEL_LENGTH, ReservedChannel

__all__ = ["User", "key_of", "user_channel"]

_PREFIX = "django_websocket.user."


class User(Protocol):
    """What the library uses of a user, of any model."""

    @property
    def pk(self) -> Any:
        """Its primary key."""


def user_channel(user: User) -> str:
    """The name of the user's own channel, for each call that takes the name of a channel::

        retract(user_channel(user), id)
        presence(user_channel(user))      # the sockets that have entered it

    No other text is this name: a view that subscribes to what a client names cannot reach it.
    Raises ``ValueError`` for a user that is not saved or not logged in, ``TypeError`` for anything
    but a user.
    """
    name = _PREFIX + quote(key_of(user), safe="")
    if len(name) > MAX_CHANNEL_LENGTH:  # ":" is in no quoted text
        name = f"{_PREFIX}sha256:{sha256(name.encode()).hexdigest()}"
    return ReservedChannel(name)


def key_of(user: Any) -> str:
    """The user's primary key as text, the same whatever it has been given as."""
    if isinstance(user, type) or not hasattr(user, "pk"):
        raise TypeError(f"expected a user, found {user!r}")
    if user.pk is None:
        raise ValueError(
            f"expected a user with a primary key, found {user!r}: save the user first; a "
            "visitor who is not logged in has none"
        )
    if isinstance(user, Model):
        return str(user._meta.pk.to_python(user.pk))
    return str(user.pk)
