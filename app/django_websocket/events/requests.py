"""Requests of ``websocket.js``, ``await connection.request(…)``, and their replies.

The messages are JSON text that any client can speak: docs/reference/client-protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeGuard

from django_websocket.errors import InvalidJSON
from django_websocket.serializers.jsontext import loads

__all__ = ["Error", "Request", "parse_request", "refusal", "reply", "understand"]

_MARK = '"ws.request"'

#: The longest id that a reply repeats, in characters.
_MAX_ID_LENGTH = 200


#: What a client gets as ``error``.
Error = dict[str, Any]


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
        reply(self._websocket, self.id, data, None)

    def refuse(
        self,
        message: str,
        code: str = "refused",
        fields: Mapping[str, list[str]] | None = None,
    ) -> None:
        """Answer with an error: ``code`` is for the script, ``message`` for people.

        ``fields`` are sentences by the name of a field, as ``form.errors`` has them.
        """
        reply(self._websocket, self.id, None, refusal(code, message, fields))


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
    return Request(websocket, id, value.get("data")) if _is_id(id) else None


def understand(message: str | bytes) -> tuple[str | None, dict[str, Any], Error | None]:
    """The id of a request, the event with its ``type``, and what is wrong with it.

    An event is ``{"type": "rename", …}``, by itself or as the ``data`` of a request.
    """
    try:
        value = loads(message)
    except InvalidJSON:
        return None, {}, refusal("invalid_json", "Expected JSON text.")
    id = None  # noqa: A001
    if isinstance(value, dict) and value.get("type") == "ws.request":
        id, value = value.get("id"), value.get("data")  # noqa: A001
        if not _is_id(id):
            sentence = f"Expected an id of 1 to {_MAX_ID_LENGTH} characters."
            return None, {}, refusal("invalid_event", sentence)
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return id, value, None
    return id, {}, refusal("invalid_event", 'Expected an object with a "type".')


def refusal(code: str, message: str, fields: Mapping[str, list[str]] | None = None) -> Error:
    """The error of a reply. ``fields`` are sentences by the name of a field."""
    error: Error = {"code": code, "message": message}
    return error | {"fields": dict(fields)} if fields else error


def reply(websocket: Sender, id: str | None, data: Any, error: Error | None) -> None:  # noqa: A002
    """Answer a request. To a message without an id, say only what is wrong with it."""
    if error is not None:
        websocket.send_json({"type": "ws.reply", "id": id, "error": error})
    elif id is not None:
        websocket.send_json({"type": "ws.reply", "id": id, "data": data})


def _is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID_LENGTH
