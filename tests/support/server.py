"""A live gunicorn for tests: one worker, a port of its own, its log in hand."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import websocket
from gunicorn.config import make_settings

ROOT = Path(__file__).resolve().parents[2]
OUR_WORKER = "django_websocket.worker.WebSocketWorker"
STOCK_WORKER = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
#: gunicorn opens a socket for control since 25.1; no test needs it.
NO_CONTROL_SOCKET = ("--no-control-socket",) if "control_socket" in make_settings() else ()
#: Seconds after which what has not come will not come, on the slowest machine.
PATIENCE = 90
#: Options of websocket-client, whose own look at UTF-8 is slow; recv() decodes strictly anyway.
CLIENT = {"timeout": PATIENCE, "skip_utf8_validation": True}

Value = TypeVar("Value")


class Server:
    """``address`` is (host, port); ``pid`` gunicorn's master."""

    def __init__(self, process: subprocess.Popen[bytes], address: tuple[str, int], log: Path):
        self.process = process
        self.address = address
        self.pid = process.pid
        self._log = log
        self._clients: list[websocket.WebSocket] = []

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for_log(self, text: str) -> None:
        wait_for(lambda: text in self.log, lambda: f"{text!r} in the log:\n{self.log}")

    def url(self, path: str) -> str:
        return f"ws://{self.address[0]}:{self.address[1]}{path}"

    def connect(self, path: str, **options: Any) -> websocket.WebSocket:
        """A client's socket; raises ``WebSocketBadStatusException`` when refused."""
        client = websocket.create_connection(self.url(path), **CLIENT | options)
        self._clients.append(client)
        return client

    def drop_clients(self) -> None:
        """Shut every client's TCP connection."""
        while self._clients:
            self._clients.pop().shutdown()

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.body = response.read()  # type: ignore[attr-defined]
        connection.close()
        return response

    def handshake(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """The plain HTTP answer to a handshake."""
        return self.get(
            path,
            **{
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            }
            | headers,
        )


@contextlib.contextmanager
def serve(
    app: str,
    worker: str,
    log: Path,
    env: dict[str, str] | None = None,
    *arguments: str,
    python: Path | str = sys.executable,
    family: int = socket.AF_INET,
    address: Any = ("127.0.0.1", 0),
) -> Iterator[Server]:
    """Run gunicorn on ``app`` and end it. The listening socket exists before it starts."""
    with socket.create_server(address, family=family) as listener, log.open("wb") as output:
        process = subprocess.Popen(
            [
                python, "-m", "gunicorn", app,
                "--worker-class", worker,
                "--bind", f"fd://{listener.fileno()}",
                "--graceful-timeout", "5",
                *NO_CONTROL_SOCKET,
                "--access-logfile", "-",
                *arguments,
            ],
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ
            | {"PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}", "PYTHONWARNINGS": "default"}
            | (env or {}),
        )  # fmt: skip
        address = listener.getsockname()
    server = Server(process, address, log)
    try:
        yield server
    finally:
        server.drop_clients()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def wait_for(
    condition: Callable[[], Value], what: str | Callable[[], str] = "the condition"
) -> Value:
    """The first true value of ``condition``; fails with ``what`` after ``PATIENCE``."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            awaited = what() if callable(what) else what
            raise AssertionError(f"waited {PATIENCE} s for {awaited}")
        time.sleep(0.02)
    return value
