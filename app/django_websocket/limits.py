"""How many sockets a user may have open in one process."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from django.http import HttpRequest, HttpResponse

from .conf import get_options
from .connection.register import Register
from .metrics import counters

__all__ = ["refuse_user"]

#: Seconds after which a client that was refused may try again.
_RETRY_AFTER = "5"

_register = Register()


def refuse_user(
    request: HttpRequest, socket: Any, view: Hashable, most_of_view: int | None
) -> HttpResponse | None:
    """429 if the user has too many sockets, of all views or of this one; else the socket counts.

    Anonymous visitors are not limited here: their addresses are.
    """
    limits = {None: get_options().max_sockets_per_user, view: most_of_view}
    if not any(limits.values()):
        return None  # and nobody has asked the database who the user is
    user = getattr(request, "user", None)
    if user is None or user.pk is None:
        return None
    keys = {(user.pk, part): most for part, most in limits.items() if most is not None}
    if any(_register.count(key) >= most for key, most in keys.items()):
        counters.sockets_refused_to_user += 1
        return HttpResponse(
            "You have too many sockets open.\n",
            status=429,
            content_type="text/plain; charset=utf-8",
            headers={"Retry-After": _RETRY_AFTER},
        )
    for key in keys:
        _register.add(key, socket)
    return None
