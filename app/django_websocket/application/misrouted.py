"""Requests that open no socket: an ordinary one, and a handshake that has met the wrong server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse

from django_websocket.patches.logs import OnceAMinute, plain
from django_websocket.server import health

__all__ = ["not_implemented", "upgrade_required", "wants_socket"]

_log_error = OnceAMinute(logging.getLogger("django_websocket"), logging.ERROR)

_WORKER = "start gunicorn with --worker-class django_websocket.worker.WebSocketWorker"
_PROXY = (
    "let the proxy pass the handshake on (nginx: proxy_http_version 1.1; proxy_set_header Upgrade "
    "$http_upgrade; proxy_set_header Connection upgrade)"
)


def wants_socket(environ: Mapping[str, Any]) -> bool:
    """Whether a WebSocket client has sent the request, as far as proxies have left it whole.

    A proxy takes ``Upgrade`` out of a request if nobody tells it to pass it on: that is for one
    hop only (RFC 9110 section 7.8). ``Sec-WebSocket-Key`` passes.
    """
    return "HTTP_SEC_WEBSOCKET_KEY" in environ and environ["REQUEST_METHOD"] == "GET"


@login_not_required
def upgrade_required(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer a request for a socket's URL without a socket (RFC 9110 section 15.5.22).

    A handshake gets 501, and the log says why no socket opens here.
    """
    if wants_socket(request.META):
        _log_error(
            "The handshake on %s opens no socket: %s", plain(request.path), _cause(request.META)
        )
        return not_implemented()
    return HttpResponse(
        "This URL speaks WebSocket: connect with a WebSocket client.\n",
        status=426,
        content_type="text/plain; charset=utf-8",
        headers={"Upgrade": "websocket"},
    )


def not_implemented() -> HttpResponse:
    """The answer to a handshake that has come to a server without WebSockets."""
    return HttpResponse(
        "This server opens no WebSockets here. Its log says what to change.\n",
        status=501,
        content_type="text/plain; charset=utf-8",
    )


def _cause(environ: Mapping[str, Any]) -> str:
    whole = "HTTP_UPGRADE" in environ and environ["SERVER_PROTOCOL"] != "HTTP/1.0"
    if whole:
        return f"this server knows no WebSockets; {_WORKER}"
    stripped = f"it came without Upgrade, or as HTTP/1.0; {_PROXY}"
    return stripped if health.serves_sockets else f"{stripped}, and {_WORKER}"
