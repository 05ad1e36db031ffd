"""``/healthz`` and ``/readyz`` for process supervisors and load balancers, ``/metrics`` for
Prometheus.

Both applications of a project run the same middleware, so one line serves both. Put it first: its
responses need no session, no user, no database and no allowed host.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from .application.misrouted import is_misrouted, not_implemented
from .conf import get_options
from .database import release_connections
from .errors import BrokerError
from .logs import request_id
from .pubsub.process import get_dispatcher
from .server import health

__all__ = ["HealthMiddleware", "MetricsMiddleware", "RequestIDMiddleware"]

logger = logging.getLogger("django_websocket")


class HealthMiddleware:
    """Answers two paths, in plain text:

    ``/healthz``
        200: the process is alive.
    ``/readyz``
        200, or 503 with the reasons: the worker is draining, or a greenlet blocked it for longer
        than ``WEBSOCKET_MAX_HUB_LAG``. ``/readyz?check=database`` also checks every database,
        ``/readyz?check=broker`` the broker.

    If a socket's handshake reaches the pages, where it would get 404, the answer is 501.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the two paths; pass everything else on."""
        if request.path_info == "/healthz":
            return _answer(200, "alive")
        if request.path_info == "/readyz":
            return _readiness(request.GET.getlist("check"))
        response = self.get_response(request)
        if response.status_code == 404 and is_misrouted(request):
            return not_implemented(request)
        return response


def _readiness(names: list[str]) -> HttpResponse:
    unknown = sorted(set(names) - set(_CHECKS))
    if unknown:
        return _answer(400, f"unknown check {unknown[0]!r}, known: {', '.join(_CHECKS)}")
    reasons = _worker_reasons()
    for name in names:
        reasons += _CHECKS[name]()
    return _answer(503, *reasons) if reasons else _answer(200, "ready")


def _worker_reasons() -> list[str]:
    if health.draining:
        return ["draining"]
    lag, limit = health.hub_lag(), get_options().max_hub_lag
    return [f"a greenlet blocked the worker for {lag:.1f} s"] if lag > limit else []


def _database_reasons() -> list[str]:
    reasons = []
    for connection in connections.all():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:  # its message may name hosts and users
            reasons.append(f"the database {connection.alias!r} does not answer")
    release_connections()
    return reasons


def _broker_reasons() -> list[str]:
    """Finds the process's dispatcher itself, as Django passes a middleware none."""
    try:
        get_dispatcher().broker.check()
    except BrokerError as error:
        logger.warning("Not ready: %s", error)
        return ["the broker does not answer, or accepts no messages"]
    return []


_CHECKS: dict[str, Callable[[], list[str]]] = {
    "broker": _broker_reasons,
    "database": _database_reasons,
}


def _answer(status: int, *lines: str) -> HttpResponse:
    return HttpResponse(
        "".join(f"{line}\n" for line in lines),
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


#: What is taken for an id: no text that could break a line of the log, or fill it.
_ID = re.compile(r"[\w.:+/=-]{1,128}\Z", re.ASCII)


class RequestIDMiddleware:
    """Gives each request and socket an id, ``request.id``, for :class:`.logs.RequestFields`.

    The id is that of the header ``X-Request-ID``, which your proxy sets, else a new one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set the id, which stays until this thread or greenlet serves another request."""
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        chosen = sent if _ID.match(sent) else uuid.uuid4().hex
        request.id = request.META["HTTP_X_REQUEST_ID"] = chosen  # type: ignore[attr-defined]
        request_id.set(chosen)
        return self.get_response(request)


#: What a proxy adds to a request that it passes on.
_FROM_A_PROXY = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


class MetricsMiddleware:
    """Answers ``/metrics`` for a Prometheus that asks this very process, and nobody else.

    A request that has come through a proxy, or from a public address, does not get the metrics: it
    goes on to the project's URLs, as if this middleware were not there.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        try:
            from . import prometheus
        except ModuleNotFoundError as error:
            raise ImproperlyConfigured(
                f"MetricsMiddleware needs the package {error.name}, which is not installed: "
                'pip install "django-gevent-websocket[metrics]"'
            ) from error
        prometheus.register()
        self._exposition = prometheus.exposition
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the path; pass everything else on."""
        if request.path_info != "/metrics" or not _is_from_inside(request.META):
            return self.get_response(request)
        content, content_type = self._exposition(request.META.get("HTTP_ACCEPT", ""))
        return HttpResponse(content, content_type=content_type)


def _is_from_inside(environ: dict[str, Any]) -> bool:
    if any(name in environ for name in _FROM_A_PROXY):
        return False
    try:
        return not ip_address(environ.get("REMOTE_ADDR", "")).is_global
    except ValueError:  # a unix socket has no address
        return True
