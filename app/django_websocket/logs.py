"""One id for a request: in nginx's log, gunicorn's and the project's own.

:class:`~django_websocket.middleware.RequestIDMiddleware` takes it from the header ``X-Request-ID``,
which nginx sets. A socket keeps it for its life. A greenlet that its view spawns has it if it runs
in the view's context: ``gevent.spawn(copy_context().run, function)``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar

__all__ = ["JSON_FORMATTER", "RequestFields", "request_id"]

#: The id of the request that this thread or greenlet serves; ``-``: none.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

#: For ``LOGGING["formatters"]``: one JSON object a line, by python-json-logger.
JSON_FORMATTER = {
    "()": "pythonjsonlogger.json.JsonFormatter",
    "format": "{asctime}{levelname}{name}{message}",
    "style": "{",
    "datefmt": "%Y-%m-%dT%H:%M:%S%z",
    "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
}

#: What has the id there: what the proxy has sent, or else what the middleware has left.
_IDS = ("{x-request-id}i", "{http_x_request_id}e")

#: The other attributes that a line of gunicorn's access log gets, and the atoms that have them.
_ACCESS = (
    ("address", "h"),
    ("method", "m"),
    ("path", "U"),
    ("status", "s"),
    ("seconds", "L"),
    ("seconds", "{websocket.duration}e"),  # the other one leaves out whole days
    ("bytes_sent", "B"),
    ("close_code", "{websocket.close_code}e"),
    ("messages_received", "{websocket.messages_received}e"),
    ("messages_sent", "{websocket.messages_sent}e"),
    ("bytes_received", "{websocket.bytes_received}e"),
)


class RequestFields(logging.Filter):
    """Gives each record its ``request_id``, and a line of gunicorn's access log all its parts.

    For a formatter that names it, ``%(request_id)s``, or one that writes all attributes, as JSON.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes; keep every record."""
        atoms = record.args
        if record.name == "gunicorn.access" and isinstance(atoms, Mapping):
            record.request_id = next((atoms[atom] for atom in _IDS if atoms[atom] != "-"), "-")
            for name, atom in _ACCESS:
                if (value := atoms[atom]) != "-":
                    setattr(record, name, _number(value))
        elif not hasattr(record, "request_id"):
            record.request_id = request_id.get()
        return True


def _number(value: object) -> object:
    """A number, if the atom is one."""
    if not isinstance(value, str) or not value.replace(".", "", 1).isdecimal():
        return value
    return float(value) if "." in value else int(value)
