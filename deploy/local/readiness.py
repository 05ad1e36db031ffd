"""Whether the stack of `make run` answers: each gunicorn on its socket, pages and sockets by nginx.

A restart does not use this: deploy/rolling/restart.py asks each gunicorn for /readyz.
"""

import contextlib
import http.client
import socket

from state import State
from terminal import Problem

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
SECONDS = 5
# The status from nginx if no gunicorn answers, and from a gunicorn that is not ready. A 500 counts
# as an answer.
NOT_READY = (None, 502, 503, 504)


class Endpoint:
    """The address of one stack: http://localhost:``port``/."""

    def __init__(self, state: State, port: int):
        self._state = state
        self.port = port
        self.url = f"http://localhost:{port}/"

    def ensure_free(self) -> None:
        """Raises ``Problem`` if another program has the port, or it needs root."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except PermissionError as error:
                raise Problem(
                    f"Port {self.port} needs root. Choose one above 1023: make run PORT=9000"
                ) from error
            except OSError as error:
                raise Problem(
                    f"Port {self.port} is taken by another program "
                    f"(ss -ltnp sport = :{self.port} shows which). "
                    f"Choose another port: make run PORT={self.port + 1000}"
                ) from error

    def problem(self) -> str | None:
        """What does not answer yet; None if everything does."""
        for path in self._state.gunicorn_sockets():
            if not _accepts(path):
                return f"nothing accepts on {path}"
        for what, headers in (("a page", {}), ("a handshake", HANDSHAKE)):
            if (status := self._status(headers)) in NOT_READY:
                return f"{what} at {self.url} is answered with {status or 'nothing'}"
        return None

    def _status(self, headers: dict[str, str]) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/", headers={"Host": f"localhost:{self.port}"} | headers)
            return connection.getresponse().status
        return None


def _accepts(path: object) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False
