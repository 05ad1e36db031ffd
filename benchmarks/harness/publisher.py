"""The process that publishes: on the clients' core, as a site's pages have a core of their own."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO

from .server import Server


class PublisherFailed(Exception):
    """It ended unexpectedly. The text says why."""


class Publisher:
    """Publishes messages in order."""

    def __init__(self, stdin: IO[bytes], log: IO[bytes]) -> None:
        self._stdin = stdin
        self._log = log

    def publish(self, message: bytes) -> None:
        """Publish a message that has no line break. Raises :class:`PublisherFailed`."""
        try:
            self._stdin.write(message + b"\n")
        except BrokenPipeError:
            self._log.seek(0)
            end = self._log.read()[-2000:].decode(errors="replace")
            raise PublisherFailed(f"the publisher's last words:\n{end}") from None


@contextlib.contextmanager
def publishing(server: Server) -> Iterator[Publisher]:
    """The peer's publisher, running."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [word.replace("{port}", str(server.port)) for word in server.peer.publisher],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=server.site.environment,
            bufsize=0,
        )
        assert process.stdin is not None
        with process.stdin as stdin:
            try:
                yield Publisher(stdin, log)
            finally:
                process.kill()
                process.wait()
