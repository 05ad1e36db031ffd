"""The project behind the shipped nginx: Redis, pages, and sockets in a process of one's choice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.nginx import Nginx
from support.redis import redis_server
from support.server import PATIENCE, ROOT, Server, wait_for
from support.visitors import PASSWORD

#: The site's one user.
MEMBER = "mary"

_PREPARE = """
import sys, django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
User.objects.create_user(sys.argv[1], f"{sys.argv[1]}@example.org", sys.argv[2])
"""


class Site:
    """``state`` is the folder that everything works in, ``port`` and ``url`` nginx's."""

    port: int

    def __init__(self, state: Path, broker: str) -> None:
        self.state = state
        self.environ = {
            "DJANGO_SETTINGS_MODULE": "support.company.settings",
            "PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}",
            "STATE_DIR": str(state),
            "REDIS_URL": broker,
            "INSTANCE": "1",
        }

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/"

    @contextlib.contextmanager
    def gunicorn(
        self, name: str, python: Path, words: Sequence[str] = (), **environ: str
    ) -> Iterator[Server]:
        """One of the project's gunicorns, "http" or "websocket", as nginx's clients see it.

        ``words`` are what a tool wants in front of the command.
        """
        log = self.state / "log" / f"{name}.log"
        config = ROOT / "deploy" / "gunicorn" / f"{name}.py"
        command = [*words, str(python.with_name("gunicorn")), "-c", str(config)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self.state, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=os.environ | self.environ | environ,
            )  # fmt: skip
        server = Server(process, ("localhost", self.port), log)
        try:
            wait_for(lambda: _answers(server, name), f"{name} to start")
            yield server
        finally:
            server.drop_clients()
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def _answers(server: Server, name: str) -> bool:
    assert server.process.poll() is None, server.log
    ask = server.get if name == "http" else server.handshake
    return ask("/echo/").status < 502  # nginx's own while nobody listens


@contextlib.contextmanager
def front(state: Path, **options: dict[str, str]) -> Iterator[Site]:
    """Redis, and nginx with these ``options``."""
    for folder in ("run", "log", "tmp"):
        (state / folder).mkdir(parents=True)
    with redis_server() as redis:
        site = Site(state, redis.url)
        with Nginx(site, state / "nginx", **options) as nginx:
            site.port = nginx.port
            yield site


@contextlib.contextmanager
def serve_site(state: Path, python: Path = Path(sys.executable), **environ: str) -> Iterator[Site]:
    """Everything but the sockets' process, with these variables in the environment."""
    with front(state) as site:
        site.environ |= environ
        command = [python, "-c", _PREPARE, MEMBER, PASSWORD]
        subprocess.run(command, check=True, env=os.environ | site.environ)
        with site.gunicorn("http", python):
            yield site
