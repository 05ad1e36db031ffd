"""The head of an HTTP/1.1 request (RFC 9112 section 5), with bounds on its cost.

pywsgi uses ``email.parser``, which is slow, accepts input that a proxy may read differently, and
does not bound the whole head.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import IO

__all__ = ["HeadTooLarge", "RequestHead", "read_head"]

_FIELD = re.compile(r"([-!#$%&'*+.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\r?\n")
_END = (b"\r\n", b"\n")


class HeadTooLarge(ValueError):
    """The request's head is larger than gunicorn's ``limit_request_*`` settings allow."""


class RequestHead:
    """The header fields, as pywsgi and gunicorn access them. Names match in any case."""

    __slots__ = ("_fields", "_values")

    #: A string here would mean that the head is malformed.
    status = ""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields
        self._values: dict[str, str] = {}
        for name, value in fields:
            # RFC 9110 section 5.3: a repeated field is one with its values joined by commas.
            key = name.lower()
            self._values[key] = f"{self._values[key]},{value}" if key in self._values else value

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the field ``name``, in any case; repeated fields are joined by commas."""
        return self._values.get(name.lower(), default)

    getheader = get

    @property
    def typeheader(self) -> str | None:
        """The Content-Type, by the name that pywsgi uses."""
        return self._values.get("content-type")

    def __delitem__(self, name: str) -> None:
        del self._values[name.lower()]

    def items(self) -> list[tuple[str, str]]:
        """All fields as pairs of name and value, in the order of the request."""
        return self._fields

    def environ_items(self) -> Iterator[tuple[str, str]]:
        """The fields by their names in a WSGI environ.

        Names with an underscore are left out: ``X_Real_IP`` must not pass for ``X-Real-IP``.
        """
        for name, value in self._fields:
            key = _environ_name(name)
            if key is not None:
                yield key, value


@lru_cache(maxsize=512)  # share equal values between all idle connections
def _environ_name(name: str) -> str | None:
    key = name.replace("-", "_").upper()
    if "_" in name or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return None
    return f"HTTP_{key}"


def read_head(stream: IO[bytes], max_fields: int, max_field_size: int) -> RequestHead:
    """Read up to the empty line. A limit of 0 means no limit.

    Raises :class:`HeadTooLarge`, and ``ValueError`` for a line that is not a header field or an
    early end.
    """
    fields: list[tuple[str, str]] = []
    limit = max_field_size + 2 if max_field_size else -1
    while (line := stream.readline(limit)) not in _END:
        if not line.endswith(b"\n"):
            if len(line) == limit:
                raise HeadTooLarge(f"a header is longer than {max_field_size} bytes")
            raise ValueError("the head is cut short")
        if len(fields) == max_fields:
            raise HeadTooLarge(f"there are more than {max_fields} headers")
        field = _FIELD.fullmatch(line.decode("latin-1"))
        if field is None:
            raise ValueError(f"malformed header {line[:80]!r}")
        fields.append((field[1], field[2]))
    return RequestHead(fields)
