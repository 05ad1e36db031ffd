"""The Redis that carries the messages: on the clients' core, without persistence."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

from .ports import free_port, wait_until_listening
from .server import DIES_WITH_US


@contextlib.contextmanager
def running_redis() -> Iterator[str]:
    """Its URL, over TCP, which every peer supports."""
    port = free_port()
    if not shutil.which("redis-server"):
        sys.exit("redis-server is missing: install redis-server")
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    process = subprocess.Popen([*DIES_WITH_US, *command], stdout=subprocess.DEVNULL)
    try:
        wait_until_listening(process, port)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
