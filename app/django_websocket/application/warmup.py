"""Import what the first handshake would import, before the worker is ready.

An import blocks the hub, and with it every socket of the worker. Nothing here opens a connection.
"""

from __future__ import annotations

import logging
import os
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_backends
from django.core.cache.backends.redis import RedisCache
from django.db import connections
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.backends.django import DjangoTemplates
from django.template.loader import get_template
from django.urls import URLResolver, get_resolver
from django.utils.module_loading import import_string

from django_websocket.errors import ImproperSetting
from django_websocket.patches.postgresql import wait_in_gevent
from django_websocket.urlresolvers import urlconfs

from .drivers import blocking_drivers, driver_of

__all__ = ["warm_up"]

logger = logging.getLogger("django_websocket")

_DJANGO = os.path.dirname(django.__file__)  # noqa: PTH120 - a traceback has a str


def warm_up() -> None:
    """Raises :class:`ImproperSetting` for a WEBSOCKET_URLCONF that cannot be imported."""
    for urlconf in urlconfs():
        _load_sockets_urls(urlconf)
    try:
        _load_urls(get_resolver())  # the pages', which redirects and error handlers look up
        _load_error_pages()
    except Exception as error:  # noqa: BLE001 - sockets that need no page are served all the same
        logger.warning("ROOT_URLCONF: %r. Redirects to pages and error pages will fail", error)
    for connection in connections.all():
        connection.ops.compiler("SQLCompiler")
        if connection.vendor == "postgresql" and connection.settings_dict["OPTIONS"].get("pool"):
            import_module("psycopg_pool")
        if driver_of(connection) == "psycopg":
            wait_in_gevent()
    for alias, driver, remedy in blocking_drivers(patched=True):
        logger.warning(
            "DATABASES[%r] uses %s, which blocks this worker and all its sockets during each "
            "query: %s",
            *(alias, driver, remedy),
        )
    for cache in settings.CACHES.values():
        with suppress(ImportError):  # Django reports it when it is used
            if issubclass(import_string(cache["BACKEND"]), RedisCache):
                import_module("redis")
    if apps.is_installed("django.contrib.auth"):
        get_backends()
        if apps.is_installed("django.contrib.sessions"):
            import_module("django_websocket.patches.compiledqueries").compile_once()
    for name in ("SESSION_SERIALIZER", "MESSAGE_STORAGE"):
        import_string(getattr(settings, name))


def _load_sockets_urls(urlconf: str) -> None:
    try:
        _load_urls(get_resolver(urlconf))
    except SyntaxError as error:  # which names file and line; gunicorn --reload waits for the next
        error.add_note(f"WEBSOCKET_URLCONF: {urlconf!r} cannot be used")
        raise
    except Exception as error:
        raise ImproperSetting(
            f"WEBSOCKET_URLCONF: {urlconf!r} cannot be used: {_described(error)}"
        ) from error


def _described(error: Exception) -> str:
    """The error, with the file and line that it comes from if they are the project's."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    if place.filename.startswith((_DJANGO, "<frozen ")):
        return repr(error)
    return f"{error!r} in {place.filename}, line {place.lineno}"


def _load_urls(resolver: Any) -> None:
    patterns = list(resolver.url_patterns)
    resolver.reverse_dict  # noqa: B018 - a property, which looks through all patterns
    while patterns:
        pattern = patterns.pop()
        if isinstance(pattern, URLResolver):
            patterns += pattern.url_patterns
        pattern.pattern.regex  # noqa: B018 - compiled when it is first asked for


def _load_error_pages() -> None:
    for status in (400, 403, 404, 500):
        get_resolver().resolve_error_handler(status)
        # Django reports errors of a template when it is used.
        with suppress(TemplateDoesNotExist, TemplateSyntaxError):
            get_template(f"{status}.html")
    if apps.is_installed("django.contrib.staticfiles"):  # {% static %}
        import_string(settings.STORAGES["staticfiles"]["BACKEND"])
    for backend in engines.all():
        if isinstance(backend, DjangoTemplates):
            backend.engine.template_context_processors  # noqa: B018 - imported when first asked for
