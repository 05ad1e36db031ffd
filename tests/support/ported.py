"""The applications below tests/ports, each served as its own documentation says."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .company.environments import environment, node_modules
from .ports import free_port
from .redis import redis_server
from .server import PATIENCE, ROOT, wait_for

PORTS = ROOT / "tests" / "ports"

#: What runs with an old Django only, and talks to a Redis.
OLD = {"websocket_redis_before"}

#: How one starts to develop with each of them.
RUNSERVER = ["manage.py", "runserver", "{port}", "--noreload"]
COMMANDS = {
    "socketio_before": ["app.py", "{port}"],
    "gevent_websocket_before": [
        "-m", "gunicorn", "mysite.wsgi", "--bind", "127.0.0.1:{port}", "--no-control-socket",
        "--worker-class", "geventwebsocket.gunicorn.workers.GeventWebSocketWorker",
    ],
}  # fmt: skip


class Application:
    """``name`` is the folder's: what it was, ``channels_before``, or is now, ``channels_after``.

    It works in a copy below ``state``.
    """

    def __init__(self, name: str, state: Path) -> None:
        self.folder = state / name
        shutil.copytree(PORTS / name, self.folder)
        self._environ = {key: os.environ[key] for key in ("HOME", "PATH") if key in os.environ}
        self._environ |= {"PYTHONUNBUFFERED": "1"}
        if name.endswith("_after"):
            self._environ |= {"PYTHONPATH": str(ROOT / "app")}
        self._python = _python(name)
        if name == "socketio_before":
            script = node_modules(name) / "socket.io-client" / "dist" / "socket.io.min.js"
            (self.folder / "static").mkdir()
            shutil.copy(script, self.folder / "static")

    def run(self, *words: str) -> str:
        """What the command prints, errors included. Fails where it fails."""
        done = subprocess.run(
            [self._python, *words], cwd=self.folder, env=self._environ, timeout=PATIENCE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextlib.contextmanager
    def serve(self) -> Iterator[str]:
        """Its server, as one starts it to develop. Gives the URL."""
        if self.folder.name in OLD:
            with redis_server() as redis:
                self._environ["REDIS_SOCKET"] = redis.url.removeprefix("unix://")
                with self._serve() as url:
                    yield url
        else:
            with self._serve() as url:
                yield url

    @contextlib.contextmanager
    def _serve(self) -> Iterator[str]:
        port = free_port()
        if (self.folder / "manage.py").exists():
            self.run("manage.py", "migrate", "--verbosity=0")
        command = COMMANDS.get(self.folder.name, RUNSERVER)
        words = [word.format(port=port) for word in command]
        log = self.folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self._python, *words], cwd=self.folder, env=self._environ,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True
            return False

        try:
            wait_for(answers, f"{self.folder.name} to start")
            yield f"http://127.0.0.1:{port}"
            assert "Traceback" not in log.read_text(), log.read_text()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


def _python(name: str) -> Path:
    if name.endswith("_after") or name == "gevent_websocket_before":
        return Path(sys.executable)  # what this library needs is all that they need
    return environment("ports-old" if name in OLD else "ports")
