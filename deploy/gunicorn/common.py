"""What both gunicorns share. Each reads this file with runpy: gunicorn imports no neighbours."""

from pathlib import Path
from typing import Any


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
