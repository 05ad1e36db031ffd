"""One line of gunicorn's access log for every request, for a WebSocket when it ends.

Beside gunicorn's own atoms (``%(s)s`` is 101, ``%(B)s`` the bytes sent, ``%(L)s`` the seconds),
``access_log_format`` may use ``%({websocket.close_code}e)s`` and the other names of
:func:`websocket_atoms`; they are ``-`` for requests that became no WebSocket.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket

__all__ = ["LoggedResponse", "log_access", "websocket_atoms"]

_NO_REQUEST = {"REQUEST_METHOD": "-", "RAW_URI": "-", "SERVER_PROTOCOL": "-"}


class LoggedResponse:
    """What gunicorn's logger reads from a response. ``sent`` is bytes."""

    def __init__(self, status: str | bytes | None, headers: Any, sent: int) -> None:
        self.status = _text(status) if status else "-"
        self.headers = [(_text(name), _text(value)) for name, value in headers or ()]
        self.sent = sent


def websocket_atoms(websocket: WebSocket, seconds: float) -> dict[str, str]:
    """The access log's atoms of a WebSocket that has ended.

    ``websocket.duration`` is in seconds, as gunicorn's own atoms leave out whole days.
    """
    return {
        "websocket.close_code": str(websocket.close_code),
        "websocket.messages_received": str(websocket.messages_received),
        "websocket.messages_sent": str(websocket.messages_sent),
        "websocket.bytes_received": str(websocket.bytes_received),
        "websocket.bytes_sent": str(websocket.bytes_sent),
        "websocket.duration": f"{seconds:.3f}",
    }


def log_access(
    log: Any, environ: dict[str, Any] | None, response: LoggedResponse, seconds: float
) -> None:
    """``log`` is gunicorn's; ``environ`` is None for a request that could not be read."""
    environ = _NO_REQUEST | (environ or {})
    environ["REMOTE_ADDR"] = environ.get("REMOTE_ADDR") or "-"
    headers = [
        (name[5:].replace("_", "-"), value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    log.access(response, headers, environ, timedelta(seconds=max(0.0, seconds)))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
