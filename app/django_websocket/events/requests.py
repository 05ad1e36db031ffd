"""Requests of ``websocket.js``, ``await connection.request(data)``, and their replies.

The messages are JSON text that any client can speak: docs/reference/client-protocol.md.
"""

from __future__ import annotations

from typing import Any, Protocol

from django_websocket.errors import InvalidJSON
from django_websocket.serializers.jsontext import loads

__all__ = ["Request", "parse_request"]

_MARK = '"ws.request"'

#: The longest id that a reply repeats, in characters.
_MAX_ID_LENGTH = 200


class Sender(Protocol):
    """The socket, of whatever worker."""

    def send_json(self, value: Any) -> None:
        """Send ``value`` as JSON text."""


class Request:
    """A message that waits for its reply. ``data`` is what the client has sent, decoded."""

    __slots__ = ("_websocket", "data", "id")

    def __init__(self, websocket: Sender, id: str, data: Any) -> None:  # noqa: A002
        self._websocket = websocket
        #: The client's id of the request. If it sends the request again, it uses the same id.
        self.id = id
        self.data = data

    def __repr__(self) -> str:
        return f"<Request {self.id}>"

    def reply(self, data: Any = None) -> None:
        """Answer it. Raises as :meth:`~django_websocket.WebSocket.send_json` does."""
        self._websocket.send_json({"type": "ws.reply", "id": self.id, "data": data})

    def refuse(self, message: str, code: str = "refused") -> None:
        """Answer with an error: ``code`` is for the script, ``message`` for people."""
        error = {"code": code, "message": message}
        self._websocket.send_json({"type": "ws.reply", "id": self.id, "error": error})


def parse_request(websocket: Sender, message: str | bytes) -> Request | None:
    """The request that ``message`` is; None for any other message.

    ::

        for message in websocket:
            request = parse_request(websocket, message)
            if request is None:
                ...                      # a plain message
            elif request.data == "time":
                request.reply(timezone.now())
            else:
                request.refuse("Ask for the time.")
    """
    if not isinstance(message, str) or _MARK not in message:
        return None
    try:
        value = loads(message)
    except InvalidJSON:
        return None
    if not isinstance(value, dict) or value.get("type") != "ws.request":
        return None
    id = value.get("id")  # noqa: A001
    if not isinstance(id, str) or not 0 < len(id) <= _MAX_ID_LENGTH:
        return None
    return Request(websocket, id, value.get("data"))
