"""Requests that open no socket: an ordinary one, and a handshake in the wrong place.

That may be a server without WebSockets, or the project's application for pages.
"""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.handlers.wsgi import get_path_info
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.log import log_response

from django_websocket.patches.logs import plain
from django_websocket.server import health
from django_websocket.server.loglimit import OnceAMinute
from django_websocket.urlresolvers import is_socket_path

from .requests import WebSocketRequest

__all__ = [
    "is_misrouted",
    "not_implemented",
    "on_request_started",
    "takes_hop_by_hop",
    "upgrade_required",
    "warn_of_redirect",
]

logger = logging.getLogger("django_websocket")
_log_error = OnceAMinute(logger.error)
_log_redirect = OnceAMinute(logger.warning)

_WORKER = "start gunicorn with --worker-class django_websocket.worker.WebSocketWorker"
_PROXY = (
    "make the proxy pass the handshake on (nginx: proxy_http_version 1.1; proxy_set_header Upgrade "
    "$http_upgrade; proxy_set_header Connection upgrade)"
)

_SPLIT = (
    "send handshakes to the gunicorn that serves get_wsgi_websocket_application(): configure the "
    "proxy to do so, or name that server's address in WEBSOCKET_SERVER"
)
_WRONG_APPLICATION = (
    "gunicorn runs its WebSocketWorker with that application; name the WebSocket application, such "
    "as project.wsgi:websocket"
)

_TLS = (
    "if a proxy terminates TLS, make it set X-Forwarded-Proto and list its address in gunicorn's "
    "forwarded_allow_ips; otherwise connect with wss://"
)
_URL = "connect to that URL, which {% websocket_url %} returns"


def wants_socket(environ: dict[str, Any]) -> bool:
    """Whether a WebSocket client sent the request, even if a proxy has removed ``Upgrade``.

    A proxy removes that header unless it is configured to pass it on, since it is hop-by-hop
    (RFC 9110 section 7.8). ``Sec-WebSocket-Key`` passes.
    """
    upgrade: str = environ.get("HTTP_UPGRADE", "websocket")
    return (
        "HTTP_SEC_WEBSOCKET_KEY" in environ
        and environ["REQUEST_METHOD"] == "GET"
        and upgrade.strip().lower() == "websocket"
    )


@login_not_required
def upgrade_required(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer a request for a socket's URL that opens no socket (RFC 9110 section 15.5.22).

    A handshake gets 501, and the log says why no socket opens here.
    """
    if wants_socket(request.META):
        _log_error("The handshake on %s opens no socket: %s", plain(request.path), _cause(request))
        return not_implemented(request)
    return HttpResponse(
        "This is a WebSocket URL: connect with a WebSocket client.\n",
        status=426,
        content_type="text/plain; charset=utf-8",
        headers={"Upgrade": "websocket"} if takes_hop_by_hop(request.META) else {},
    )


def takes_hop_by_hop(environ: dict[str, Any]) -> bool:
    """Whether the server lets an application send ``Connection`` and ``Upgrade``.

    PEP 3333 forbids it, and wsgiref and waitress answer 500 instead. gunicorn's workers take them.
    """
    return "gunicorn" in environ.get("SERVER_SOFTWARE", "gunicorn")


def not_implemented(request: HttpRequest) -> HttpResponse:
    """The answer to a handshake where no socket can open. The caller logs the reason."""
    response = HttpResponse(
        "This server cannot open a WebSocket here. Its log says what to change.\n",
        status=501,
        content_type="text/plain; charset=utf-8",
    )
    # Otherwise Django would log an error for each, and mail it to ADMINS.
    log_response("501", response=response, request=request, logger=logger, level="debug")
    return response


def on_request_started(sender: type, environ: dict[str, Any] | None = None, **kwargs: Any) -> None:
    """Receiver of Django's signal: log a socket's handshake that has reached the pages."""
    if environ is None or not _is_misrouted(sender, environ):
        return
    _log_error(
        "The handshake on %s has reached the application for pages: %s",
        plain(get_path_info(environ)),
        _WRONG_APPLICATION if environ.get("wsgi.websocket") is not None else _SPLIT,
    )


def warn_of_redirect(request: HttpRequest, response: HttpResponseBase) -> None:
    """Log a permanent redirect of a handshake, which WebSocket clients do not follow.

    ``SECURE_SSL_REDIRECT``, ``APPEND_SLASH`` and ``PREPEND_WWW`` do that.
    """
    target = plain(response.headers["Location"])
    _log_redirect(
        "The handshake on %s was redirected to %s, which no WebSocket client follows: %s",
        plain(request.path),
        target,
        _TLS if target.startswith("https:") and not request.is_secure() else _URL,
    )


def is_misrouted(request: HttpRequest) -> bool:
    """Whether ``request`` is a socket's handshake that has reached the pages."""
    return _is_misrouted(type(request), request.META)


def _is_misrouted(kind: type, environ: dict[str, Any]) -> bool:
    """``kind`` is the class of the request, or of the handler, which names it."""
    return (
        wants_socket(environ)
        and not issubclass(getattr(kind, "request_class", kind), WebSocketRequest)
        and is_socket_path(get_path_info(environ))
    )


def _cause(request: HttpRequest) -> str:
    environ = request.META
    if not isinstance(request, WebSocketRequest):
        return "its view is in ROOT_URLCONF; add it to WEBSOCKET_URLCONF"
    whole = "HTTP_UPGRADE" in environ and environ["SERVER_PROTOCOL"] != "HTTP/1.0"
    if whole:
        return f"this server does not support WebSockets; {_WORKER}"
    stripped = f"it arrived without Upgrade, or as HTTP/1.0; {_PROXY}"
    return stripped if health.serves_sockets else f"{stripped}, and {_WORKER}"
