"""A site whose sockets do what a test asks for, so that each metric moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.postgresql import postgresql
from support.redis import redis_server
from support.server import OUR_WORKER, Server, serve


@contextmanager
def metered_site(log: Path, worker: str = OUR_WORKER) -> Iterator[Any]:
    """Its server, with a PostgreSQL and a Redis of its own; ``redis`` is the latter."""
    with postgresql() as database, redis_server() as redis:
        env = {
            "DJANGO_SETTINGS_MODULE": "support.metered.settings",
            "SITE_DATABASE": database,
            "SITE_BROKER": redis.url,
        }
        with serve("support.metered.wsgi:websocket", worker, log, env) as server:
            server.redis = redis  # type: ignore[attr-defined]
            yield server


def scraped(server: Server) -> dict[str, float]:
    """Every sample of a server's metrics, under its name and labels as Prometheus reads them."""
    response = server.get("/metrics")
    assert response.status == 200, response.body
    lines = response.body.decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


class Asking:
    """One socket: ``asking("publish", "news", 1)`` has its view do that, and returns the result."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.client = server.connect("/acts/", **options)

    def __call__(self, what: str, *arguments: Any) -> Any:
        self.send(what, *arguments)
        return json.loads(self.client.recv())["result"]

    def send(self, what: str, *arguments: Any) -> None:
        self.client.send(json.dumps([what, *arguments]))
