"""A client is answered even when the process may open no more files."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from typing import Any

__all__ = ["SpareFile"]

_RESPONSE = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


class SpareFile:
    """A file that is kept open, to be closed for the connection of a client that is refused."""

    def __init__(self) -> None:
        self._file: FileIO | None = FileIO(os.devnull)

    def refuse(self, accept: Callable[[], Any], *, encrypted: bool) -> bool:
        """Answer 503 to the next client, or only disconnect it if it expects TLS. False: there is
        no spare file.

        ``accept`` returns the connection and its address, or None.
        """
        if not self._keep():
            return False
        self.close()
        try:
            accepted = accept()
            if accepted is not None:
                with suppress(OSError):
                    if not encrypted:
                        accepted[0].send(_RESPONSE)
                accepted[0].close()
        finally:
            self._keep()
        return True

    def _keep(self) -> bool:
        if self._file is None:
            with suppress(OSError):
                self._file = FileIO(os.devnull)
        return self._file is not None

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()  # at once: os.close() may be gevent's, which defers it
            self._file = None
