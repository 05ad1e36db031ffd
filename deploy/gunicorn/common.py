"""What both gunicorns share. Each reads this file with runpy: gunicorn imports no neighbours."""

import os
from pathlib import Path
from typing import Any

#: With LOG_FORMAT=json, gunicorn writes one JSON object a line. That needs python-json-logger.
logconfig_dict: dict[str, Any] = {}
if os.environ.get("LOG_FORMAT") == "json":
    logconfig_dict = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "{asctime}{levelname}{name}{message}",
                "style": "{",
                "datefmt": "%Y-%m-%dT%H:%M:%S%z",
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            },
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
    """That of the project of this checkout."""
    text = (Path(__file__).resolve().parents[1] / "project.env").read_text()
    return dict(line.split("=") for line in text.splitlines() if "=" in line)[name]


def pre_fork(server: Any, worker: Any) -> None:
    """Close the database connections that loading the project has opened: all workers would share
    them. gunicorn calls this before it forks a worker."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
