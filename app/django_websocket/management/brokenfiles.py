"""Files that could not be imported, which Django's autoreloader does not watch.

It watches loaded modules. A module with an error is not loaded, so after a fix nothing would
restart the server.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from django.utils.autoreload import autoreload_started

__all__ = ["watch_imports_of"]

_files: set[str] = set()
_reloaders: list[Any] = []


def watch_imports_of(modules: Iterable[str]) -> None:
    """Watch the files whose errors keep one of ``modules`` from being imported."""
    for module in modules:
        try:
            import_module(module)
        except Exception as error:  # noqa: BLE001 - importing a project's module may raise anything
            _files.update(_files_of(error))
    for reloader in _reloaders:
        _watch(reloader)


def _files_of(error: BaseException) -> set[str]:
    files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    if isinstance(error, SyntaxError) and error.filename:
        files.add(error.filename)
    return {file for file in files if os.path.exists(file)}  # noqa: PTH110 - a traceback has a str


def _watch(sender: Any, **kwargs: Any) -> None:
    for file in _files:
        sender.watch_dir(Path(file).parent, Path(file).name)


def _started(sender: Any, **kwargs: Any) -> None:
    _reloaders.append(sender)
    _watch(sender)


autoreload_started.connect(_started)
