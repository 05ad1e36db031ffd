"""What is known of who is present, beside the name: typing, away, the device.

A broker counts texts. An entry with metadata is the name, a separator that no name has, and JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django_websocket.serializers.djangojson import dumps

__all__ = ["SEPARATOR_IN_JSON", "entry_of", "name_of", "readable"]

_SEPARATOR = "\x1f"

#: How JSON text says that there is any metadata.
SEPARATOR_IN_JSON = "\\u001f"

#: The longest metadata of an entry, as JSON text: everyone in the channel gets it.
MAX_LENGTH = 1000


def entry_of(name: str, meta: Mapping[str, Any] | None) -> str:
    """What a broker counts. Raises ``TypeError`` and ``ValueError`` for what is no metadata."""
    if not meta:
        if meta is not None and not isinstance(meta, Mapping):
            raise TypeError(f"expected meta as a dict, found {meta!r}")
        return name
    if not isinstance(meta, Mapping):
        raise TypeError(f"expected meta as a dict, found {type(meta).__name__}")
    text = dumps(dict(sorted(meta.items())))
    if len(text) > MAX_LENGTH:
        raise ValueError(f"expected meta of at most {MAX_LENGTH} characters, found {len(text)}")
    return f"{name}{_SEPARATOR}{text}"


def name_of(entry: str) -> str:
    """The name, without the metadata."""
    return entry.partition(_SEPARATOR)[0]


def readable(data: Any) -> Any:
    """A list of presence, or a change: an entry with metadata as ``{"name": …, "meta": …}``."""
    return {kind: [_shown(entry) for entry in entries] for kind, entries in data.items()}


def _shown(entry: str) -> str | dict[str, Any]:
    name, _, meta = entry.partition(_SEPARATOR)
    return {"name": name, "meta": json.loads(meta)} if meta else name
