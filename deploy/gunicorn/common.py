"""Settings that both gunicorns share. Each reads this file with runpy, as it cannot import it."""

import gc
import os
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: "0" for a project that starts threads while it is loaded: forked workers would not have them.
preload = os.environ.get("APP_PRELOAD", "1") != "0"

log_format = os.environ.get("STACK_LOG_FORMAT") or "line"
if log_format not in ("line", "json"):
    raise ValueError(f'STACK_LOG_FORMAT: expected "line" or "json", found {log_format!r}')
if log_format == "json" and find_spec("pythonjsonlogger") is None:
    raise ValueError("STACK_LOG_FORMAT=json: add python-json-logger to the project's requirements")

#: With STACK_LOG_FORMAT=json, gunicorn logs one JSON object per line.
logconfig_dict: dict[str, Any] = {}
if log_format == "json":
    from django_websocket.logs import JSON_FORMATTER

    logconfig_dict = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": JSON_FORMATTER,
        },
        "filters": {"request": {"()": "django_websocket.logs.RequestFields"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["request"],
            },
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            name: {"level": "INFO", "handlers": ["stderr"], "propagate": False}
            for name in ("gunicorn.error", "gunicorn.access")
        },
    }


def default(name: str) -> str:
    """The value in project.env, for the project of this checkout."""
    text = (Path(__file__).resolve().parents[1] / "project.env").read_text()
    return dict(line.split("=") for line in text.splitlines() if "=" in line)[name]


def pre_fork(server: Any, worker: Any) -> None:
    """Close the database connections that loading the project has opened: all workers would share
    them. gunicorn calls it before it forks a worker.

    The garbage collector leaves what is loaded alone from now on. It would write to each object,
    and so copy what master and worker share: 20 MB.
    """
    from django.db import connections

    threads = [each.name for each in threading.enumerate()[1:]]
    if preload and threads and worker.age == 1:
        server.log.warning(
            "Loading the project has started threads, which no worker has: %s. Set APP_PRELOAD=0",
            ", ".join(threads),
        )
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
    gc.collect()
    gc.freeze()
