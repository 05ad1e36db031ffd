"""A gunicorn whose worker is frozen refuses connections, so that a proxy asks another instance.

gunicorn's master holds the listening socket. The kernel would go on accepting for a worker that is
stopped, or whose hub is blocked, and the emptiest instance would look best to the proxy.
"""

from __future__ import annotations

import _thread
import os
import socket
import time
from pathlib import Path
from typing import Any

__all__ = ["FROZEN", "refuse_while_frozen"]

#: Seconds without a heartbeat after which a worker counts as frozen.
FROZEN = 4.0

_SECONDS_BETWEEN_LOOKS = 0.25


def refuse_while_frozen(arbiter: Any) -> None:
    """Refuse connections while no worker has had a heartbeat for :data:`FROZEN` seconds.

    gunicorn's ``when_ready`` hook: call it there with the server that gunicorn passes, or set
    ``when_ready = refuse_while_frozen``.
    """
    # In a master that gevent has patched, it is a greenlet. Each worker is forked with a copy of
    # it, which a threading.Thread could not end.
    _thread.start_new_thread(_watch, (arbiter, os.getpid()))


def _watch(arbiter: Any, master: int) -> None:
    refusing: list[_Unix | _TCP] = []
    while True:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        if os.getpid() != master:
            return
        if not arbiter.LISTENERS:  # gunicorn has closed them: it stops
            for each in refusing:
                each.forget()
            return
        if not refusing and _is_frozen(arbiter):
            arbiter.log.warning(
                "The worker has had no heartbeat for %s s: refusing connections", FROZEN
            )
            refusing = [_closed(listener.sock) for listener in arbiter.LISTENERS]
        elif refusing and not _is_frozen(arbiter):
            arbiter.log.warning("The worker has a heartbeat: accepting connections again")
            for each in refusing:
                each.open(arbiter.cfg.backlog)
            refusing = []


def _is_frozen(arbiter: Any) -> bool:
    now = time.monotonic()
    workers = list(arbiter.WORKERS.values())
    return bool(workers) and all(now - _last_heartbeat(each) > FROZEN for each in workers)


def _last_heartbeat(worker: Any) -> float:
    try:
        last: float = worker.tmp.last_update()
    except (OSError, ValueError):  # it was closed in the meantime
        return time.monotonic()
    return last


def _closed(listener: socket.socket) -> _Unix | _TCP:
    return _Unix(listener) if listener.family == socket.AF_UNIX else _TCP(listener)


class _TCP:
    """Linux lets a socket listen again after a shutdown; its address stays reserved."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        listener.shutdown(socket.SHUT_RD)

    def open(self, backlog: int) -> None:
        self._listener.listen(backlog)

    def forget(self) -> None:
        pass


class _Unix:
    """A shutdown is final, so the path leads to a socket at which nobody listens."""

    def __init__(self, listener: socket.socket) -> None:
        self._path = Path(listener.getsockname())
        self._aside = self._path.with_name(f"{self._path.name}.frozen")
        nobody = self._path.with_name(f"{self._path.name}.nobody")
        nobody.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as unused:
            unused.bind(str(nobody))
        self._aside.unlink(missing_ok=True)
        self._aside.hardlink_to(self._path)
        nobody.rename(self._path)

    def open(self, backlog: int) -> None:
        self._aside.rename(self._path)

    def forget(self) -> None:
        self._aside.unlink(missing_ok=True)
