"""From Django's settings to :class:`~django_websocket.options.Options`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import LazySettings, settings
from django.core.signals import setting_changed

from .errors import ImproperSetting
from .options import PREFIX, Options, known_settings

__all__ = ["get_options", "problems"]


def problems(source: LazySettings = settings) -> Iterator[tuple[str, str]]:
    """Pairs (setting, what is wrong with its value) for each setting with a wrong value."""
    for name, field in known_settings().items():
        if hasattr(source, name) and (problem := field.metadata["rule"](getattr(source, name))):
            yield name, f"{problem}, found {getattr(source, name)!r}"


_options: Options | None = None


def get_options() -> Options:
    """The options in force, read once from Django's settings.

    Raises :class:`ImproperSetting`, which names the first setting with a wrong value.
    """
    global _options
    if _options is None:
        for name, problem in problems():
            raise ImproperSetting(f"{name}: {problem}")
        values = {
            field.name: getattr(settings, name)
            for name, field in known_settings().items()
            if hasattr(settings, name)
        }
        if "allowed_origins" in values:
            values["allowed_origins"] = tuple(values["allowed_origins"])
        _options = Options(**values)
    return _options


def _forget(*, setting: str, **kwargs: Any) -> None:
    global _options
    if setting.startswith(PREFIX):
        _options = None


setting_changed.connect(_forget)
