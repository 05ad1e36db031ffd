"""System checks: every mistake in a ``WEBSOCKET_*`` setting, with an id and what to do.

====  ==================================================================
E001  ``WEBSOCKET_URLCONF`` is not set
E002  the urlconf cannot be imported, or Django refuses one of its patterns
E003  a setting has a value of the wrong type or out of bounds
E004  the broker that ``WEBSOCKET_BROKER`` names cannot be used
E005  a view in ``WEBSOCKET_URLCONF`` opens no socket
E006  the broker that ``WEBSOCKET_BROKER`` names needs an app
W001  a setting's name starts with ``WEBSOCKET_`` but is not known
W002  (``--deploy``) every origin may open sockets
W003  ``DEBUG`` is off, but messages do not leave their process
W004  a socket's view is in ``ROOT_URLCONF`` only
W005  a database driver blocks all sockets of a worker while it waits
W006  ``DEBUG`` is off, but sessions do not leave their process
W010  ``DEBUG`` is on, but ``runserver`` serves no sockets
====  ==================================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks, mail
from django.core.checks import CheckMessage, Error
from django.core.checks.urls import check_resolver
from django.core.management import get_commands, load_command_class
from django.urls import get_resolver

from .application.drivers import blocking_drivers
from .application.views import MARK, described, opens_sockets, views
from .conf import problems
from .errors import ImproperSetting
from .options import PREFIX, Options, known_settings
from .pubsub.brokers.base import make_broker

__all__ = [
    "check_broker",
    "check_drivers",
    "check_pages",
    "check_runserver",
    "check_sessions",
    "check_settings",
    "check_settings_for_deployment",
    "check_urlconf",
]

_RUNSERVER = "django_websocket.management.commands.runserver"

_IN_A_CACHE = {f"django.contrib.sessions.backends.{name}" for name in ("cache", "cached_db")}
#: Caches that each process has for itself.
_OF_ONE_PROCESS = (".LocMemCache", ".DummyCache")

Apps = Sequence[AppConfig] | None


def check_settings(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W001 for an unknown ``WEBSOCKET_…`` setting, E003 for a wrong value."""
    return [*_unknown_settings(), *_wrong_values()]


def _unknown_settings() -> list[CheckMessage]:
    known = list(known_settings())
    messages: list[CheckMessage] = []
    for name in dir(settings):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
            messages.append(
                checks.Warning(f"{name} is not a setting.", hint=hint, id="django_websocket.W001")
            )
    return messages


def _wrong_values() -> list[CheckMessage]:
    return [
        Error(
            f"{name} has a wrong value: {problem}.",
            hint=known_settings()[name].metadata["reason"],
            id="django_websocket.E003",
        )
        for name, problem in problems()
        if name != "WEBSOCKET_URLCONF"
    ]


def check_urlconf(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E001 without ``WEBSOCKET_URLCONF``, E002 if it cannot be used, E005 for a view that opens no
    socket; Django's own URL checks.
    """
    if getattr(settings, "WEBSOCKET_URLCONF", None) is None or _is_wrong("WEBSOCKET_URLCONF"):
        return [
            Error(
                "WEBSOCKET_URLCONF is not set.",
                hint="Name the module with the urlpatterns of your sockets, for example "
                'WEBSOCKET_URLCONF = "project.websocket_urls".',
                id="django_websocket.E001",
            )
        ]
    return [message for urlconf in _urlconfs() for message in _check_urls(urlconf)]


def _urlconfs() -> list[str]:
    # Not from get_options(), which raises while any setting is wrong.
    named = settings.WEBSOCKET_URLCONF
    return list(dict.fromkeys(named.values() if isinstance(named, dict) else [named]))


def _is_wrong(setting: str) -> bool:
    return any(name == setting for name, _ in problems())


def _check_urls(urlconf: str) -> list[CheckMessage]:
    try:
        return [*check_resolver(get_resolver(urlconf)), *_check_views(urlconf)]
    except Exception as error:  # noqa: BLE001 - importing a project's module may raise anything
        return [
            Error(
                f"WEBSOCKET_URLCONF: {urlconf!r} cannot be used: {error!r}.",
                hint="Name a module that has a list named urlpatterns.",
                id="django_websocket.E002",
            )
        ]


def _check_views(urlconf: str) -> list[CheckMessage]:
    return [
        Error(
            f"WEBSOCKET_URLCONF ({urlconf}) routes {route!r} to {described(view)}, which opens no "
            "socket.",
            hint="Decorate it with @websocket or, if it is a page, move it to ROOT_URLCONF. If it "
            "takes its socket from the request, add django_websocket.E005 to "
            "SILENCED_SYSTEM_CHECKS.",
            id="django_websocket.E005",
        )
        for route, view in views(get_resolver(urlconf))
        if not opens_sockets(view)
    ]


def check_pages(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W004 for a view with ``@websocket`` that only ``ROOT_URLCONF`` has."""
    try:
        served = [view for each in _urlconfs() for _, view in views(get_resolver(each))]
        pages = list(views(get_resolver()))
    except Exception:  # noqa: BLE001 - which other checks report
        return []
    return [
        checks.Warning(
            f"ROOT_URLCONF routes {route!r} to {described(view)}, which is a socket's view: no "
            "socket opens there.",
            hint="Add it to WEBSOCKET_URLCONF.",
            id="django_websocket.W004",
        )
        for route, view in pages
        if hasattr(view, MARK) and view not in served
    ]


def check_broker(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E004 if no broker can be made from ``WEBSOCKET_BROKER``, E006 without its app, W003 for
    ``memory://``.
    """
    url = _broker_url()
    if not isinstance(url, str) or "://" not in url:
        return []  # E003 says so
    try:
        broker = make_broker(url, getattr(settings, "WEBSOCKET_HISTORY_SIZE", None))
    except ImproperSetting as error:
        hint = known_settings()["WEBSOCKET_BROKER"].metadata["reason"]
        return [Error(f"{error}.", hint=hint, id="django_websocket.E004")]
    broker.close()
    if broker.app is not None and not apps.is_installed(broker.app):
        return [
            Error(
                "WEBSOCKET_BROKER keeps its messages in tables of an app that is not installed.",
                hint=f'Add "{broker.app}" to INSTALLED_APPS, and run manage.py migrate.',
                id="django_websocket.E006",
            )
        ]
    # Django's test runner has DEBUG off, and makes mail.outbox.
    if not url.startswith("memory:") or settings.DEBUG or hasattr(mail, "outbox"):
        return []
    return [
        checks.Warning(
            "WEBSOCKET_BROKER is memory://: messages stay within the process that publishes them.",
            hint='Name a Redis that all processes can reach, such as "redis://localhost:6379/0".',
            id="django_websocket.W003",
        )
    ]


def _broker_url() -> Any:
    return getattr(settings, "WEBSOCKET_BROKER", Options().broker)


def check_drivers(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W005 for a database driver that waits in C."""
    return [
        checks.Warning(
            f"DATABASES[{alias!r}] uses {driver}, which blocks a worker and all its sockets "
            "during each query.",
            hint=f"{remedy[0].upper()}{remedy[1:]}.",
            id="django_websocket.W005",
        )
        for alias, driver, remedy in blocking_drivers(patched=False)
    ]


def check_sessions(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W006 for sessions in a cache that each process has for itself."""
    cache = settings.CACHES.get(settings.SESSION_CACHE_ALIAS, {}).get("BACKEND", "")
    is_shared = settings.SESSION_ENGINE not in _IN_A_CACHE or not cache.endswith(_OF_ONE_PROCESS)
    if is_shared or settings.DEBUG or hasattr(mail, "outbox"):
        return []
    return [
        checks.Warning(
            f"Sessions are in {cache.rpartition('.')[2]}, which each process has for itself: "
            "sockets and pages do not agree on who is logged in.",
            hint="Name a cache that all processes share, such as Redis, or keep sessions in the "
            "database.",
            id="django_websocket.W006",
        )
    ]


def check_settings_for_deployment(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W002 for sockets open to every origin. Runs with ``check --deploy``."""
    if "*" not in getattr(settings, "WEBSOCKET_ALLOWED_ORIGINS", ()):
        return []
    return [
        checks.Warning(
            'WEBSOCKET_ALLOWED_ORIGINS contains "*": any website can open sockets with '
            "your visitors' cookies.",
            hint="List only the origins that need it.",
            id="django_websocket.W002",
        )
    ]


def check_runserver(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W010 if ``runserver`` is another app's command that is not a subclass of the library's."""
    if not settings.DEBUG:
        return []
    app = get_commands()["runserver"]
    command = load_command_class(app, "runserver") if isinstance(app, str) else app
    if any(kind.__module__ == _RUNSERVER for kind in type(command).__mro__):
        return []
    return [
        checks.Warning(
            f"manage.py runserver is the command of {app}, which does not serve WebSockets.",
            hint=f'Put "django_websocket" above "{app}" in INSTALLED_APPS.',
            id="django_websocket.W010",
        )
    ]
