from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.certificate import self_signed
from support.server import NO_CONTROL_SOCKET, OUR_WORKER, PATIENCE, ROOT, Server, serve, wait_for

ServeRaw = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def serve_raw(tmp_path_factory: pytest.TempPathFactory) -> ServeRaw:
    """Run our worker on ``support.raw_app``: ``with serve_raw("--bind", …, PING_INTERVAL=1)``."""

    @contextlib.contextmanager
    def run(*arguments: str, **options: Any) -> Iterator[Server]:
        settings = {f"WEBSOCKET_{name}": value for name, value in options.items()}
        log = tmp_path_factory.mktemp("gunicorn") / "log"
        env = {"RAW_APP_SETTINGS": json.dumps(settings)}
        with serve("support.raw_app", OUR_WORKER, log, env, *arguments) as server:
            yield server

    return run


@pytest.fixture(scope="session")
def unix_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same on a unix socket. ``address`` is its path."""
    folder: Path = tmp_path_factory.mktemp("unix")
    path, log = folder / "s", folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "gunicorn", "support.raw_app",
                "--worker-class", OUR_WORKER,
                "--bind", f"unix:{path}",
                *NO_CONTROL_SOCKET,
                "--access-logfile", "-",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}"},
        )  # fmt: skip
    try:
        wait_for(path.exists, "the unix socket")
        yield Server(process, str(path), log)  # type: ignore[arg-type]
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for ``testserver`` in one file."""
    path = tmp_path_factory.mktemp("tls") / "pem"
    self_signed(path.with_suffix(".crt"), path, "testserver")
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path
