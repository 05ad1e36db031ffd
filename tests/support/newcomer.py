"""A small project of somebody who begins: written into a folder, with the mistake of a test."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .server import OUR_WORKER, PATIENCE, ROOT, Server, serve

SETTINGS = {
    "SECRET_KEY": "only for tests",
    "ALLOWED_HOSTS": ["127.0.0.1"],
    "ROOT_URLCONF": "pages",
    "WEBSOCKET_URLCONF": "sockets",
    "INSTALLED_APPS": [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django_websocket",
    ],
    "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "LOGGING": {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"]},
    },
}

MODULES = {
    "wsgi": """
        from django.core.wsgi import get_wsgi_application
        from django_websocket import get_wsgi_websocket_application
        application = get_wsgi_application()
        websocket = get_wsgi_websocket_application()
    """,
    "pages": """
        from django.http import HttpResponse
        from django.urls import path
        from django_websocket import publish
        def say(request):
            publish("news", "hello")
            return HttpResponse("said")
        urlpatterns = [
            path("page/", lambda request: HttpResponse("a page")),
            path("say/", say),
        ]
    """,
    "sockets": """
        from django.urls import path
        from django_websocket import websocket
        @websocket
        def echo(request, websocket):
            for message in websocket:
                websocket.send(message)
        urlpatterns = [path("echo/", echo, name="echo")]
    """,
}


class Project:
    """``modules`` are sources by their name, in the place of those above, or beside them.

    ``python`` is an environment's.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        modules: dict[str, str],
        python: Path | str = sys.executable,
    ) -> None:
        self.folder = folder
        self.python = python
        lines = [f"{name} = {value!r}" for name, value in (SETTINGS | settings).items()]
        self.write("settings", "\n".join(lines))
        for name, source in (MODULES | modules).items():
            self.write(name, source)
        self.environ = {
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}:{folder}",
        }

    def write(self, module: str, source: str) -> None:
        indent = len(source.lstrip("\n")) - len(source.lstrip())
        lines = [line[indent:] for line in source.lstrip("\n").splitlines()]
        (self.folder / f"{module}.py").write_text("\n".join(lines) + "\n")

    @contextlib.contextmanager
    def serve(
        self, app: str = "wsgi:websocket", worker: str = OUR_WORKER, *arguments: str
    ) -> Iterator[Server]:
        log = self.folder / f"{worker.rpartition('.')[2]}.log"
        with serve(app, worker, log, self.environ, *arguments, python=self.python) as server:
            yield server

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``manage.py`` with these words; its output and errors are in ``stdout``."""
        return subprocess.run(
            [self.python, "-m", "django", *words],
            env=os.environ | self.environ, cwd=self.folder, timeout=PATIENCE, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
