"""JSON as Django writes it."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder

from .jsontext import make_dumps

__all__ = ["dumps"]

#: JSON text of a value: what JSON knows, and what ``DjangoJSONEncoder`` does. That is dates, times
#: and ``timedelta`` (ISO 8601), ``Decimal`` and ``UUID`` as text, lazy texts. Raises ``TypeError``
#: for another type, ``ValueError`` for NaN, infinity and lone surrogates; both name the place.
dumps = make_dumps(DjangoJSONEncoder().default)
