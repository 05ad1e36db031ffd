"""System checks: every mistake in a ``WEBSOCKET_*`` setting, with an id and what to do.

====  ==================================================================
E001  ``WEBSOCKET_URLCONF`` is not set
E002  the urlconf cannot be imported, or Django refuses one of its patterns
E003  a setting has a value of the wrong type or out of bounds
E004  the broker that ``WEBSOCKET_BROKER`` names cannot be used
W001  a setting's name starts with ``WEBSOCKET_`` and is not known
W002  (``--deploy``) every origin may open sockets
W003  ``DEBUG`` is off, and messages do not leave their process
====  ==================================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks, mail
from django.core.checks import CheckMessage, Error
from django.core.checks.urls import check_resolver
from django.urls import get_resolver

from .conf import problems
from .errors import ImproperSetting
from .options import (
    PREFIX,
    Options,
    known_settings,
)
from .pubsub.brokers.base import make_broker

__all__ = ["check_broker", "check_settings", "check_settings_for_deployment", "check_urlconf"]

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
    """E001 without ``WEBSOCKET_URLCONF``, E002 if it cannot be used; Django's own URL checks."""
    if getattr(settings, "WEBSOCKET_URLCONF", None) is None or _is_wrong("WEBSOCKET_URLCONF"):
        return [
            Error(
                "WEBSOCKET_URLCONF is not set.",
                hint="Name the module with the urlpatterns of your sockets, for example "
                'WEBSOCKET_URLCONF = "project.websocket_urls".',
                id="django_websocket.E001",
            )
        ]
    named = settings.WEBSOCKET_URLCONF
    urlconfs = named.values() if isinstance(named, dict) else [named]
    return [message for urlconf in dict.fromkeys(urlconfs) for message in _check_urls(urlconf)]


def _is_wrong(setting: str) -> bool:
    return any(name == setting for name, _ in problems())


def _check_urls(urlconf: str) -> list[CheckMessage]:
    try:
        return list(check_resolver(get_resolver(urlconf)))
    except Exception as error:  # noqa: BLE001 - importing a project's module may raise anything
        return [
            Error(
                f"WEBSOCKET_URLCONF: {urlconf!r} cannot be used: {error!r}.",
                hint="It is the dotted path of a module with a list named urlpatterns.",
                id="django_websocket.E002",
            )
        ]


def check_broker(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E004 if no broker can be made from ``WEBSOCKET_BROKER``, W003 for one of one process only."""
    url = _broker_url()
    if not isinstance(url, str) or "://" not in url:
        return []  # E003 says so
    try:
        make_broker(url).close()
    except ImproperSetting as error:
        hint = known_settings()["WEBSOCKET_BROKER"].metadata["reason"]
        return [Error(f"{error}.", hint=hint, id="django_websocket.E004")]
    # Django's test runner has DEBUG off, and makes mail.outbox.
    if not url.startswith("memory:") or settings.DEBUG or hasattr(mail, "outbox"):
        return []
    return [
        checks.Warning(
            "WEBSOCKET_BROKER is memory://: messages stay within the process that publishes.",
            hint='Name a Redis that all processes reach, such as "redis://localhost:6379/0".',
            id="django_websocket.W003",
        )
    ]


def _broker_url() -> Any:
    return getattr(settings, "WEBSOCKET_BROKER", Options().broker)


def check_settings_for_deployment(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W002 for sockets open to every origin. Runs with ``check --deploy``."""
    if "*" not in getattr(settings, "WEBSOCKET_ALLOWED_ORIGINS", ()):
        return []
    return [
        checks.Warning(
            'WEBSOCKET_ALLOWED_ORIGINS contains "*": every web site may open sockets with the '
            "cookies of your visitors.",
            hint="Name the origins that need it.",
            id="django_websocket.W002",
        )
    ]
