"""Logs which code blocks the hub, and with it every socket of the worker.

A thread of the operating system, unknown to gevent, looks at the main thread whenever the worker's
heartbeat is overdue. That costs the greenlets nothing; gevent's own monitor would trace every
switch between them, and knows neither paths nor views. For C code that does not release the GIL,
Python's faulthandler writes the stack.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

from gevent import monkey

__all__ = ["Watchdog", "handler_of", "waits_for_client", "where"]

#: How many calls a line names, from the innermost outwards.
_CALLS = 8
_LONGEST_PATH = 200

#: Modules whose frames are around a view, not in it.
_AROUND = (
    "django_websocket.decorators",
    "django_websocket.application.cycle",
    "django_websocket.application.life",
    "django_websocket.server.handler",
)


class Watchdog:
    """``max_lag`` and ``patience`` are seconds since a heartbeat was due, and since the last one.

    After half of the first, the stack is noted for :meth:`beat`; after the other, it is written to
    what ``stream()`` returns, as the worker may never continue.
    """

    def __init__(
        self, interval: float, max_lag: float, patience: float, stream: Callable[[], Any]
    ) -> None:
        self._suspicious = interval + max_lag / 2
        self._pause = min(0.25, max_lag / 4)
        self._patience = max(patience, 1.5 * interval)
        self._stream = stream
        self._last = time.monotonic()
        self._found: str | None = None
        self._written = False

    def start(self) -> None:
        """Watch the calling thread until the process ends."""
        thread = monkey.get_original("_thread", "get_ident")()
        monkey.get_original("_thread", "start_new_thread")(self._watch, (thread,))

    def beat(self) -> str | None:
        """The worker is alive. Returns what has blocked it since the last call, if anything did."""
        self._last = time.monotonic()
        found, self._found, self._written = self._found, None, False
        return found

    def _watch(self, thread: int) -> None:
        sleep = monkey.get_original("time", "sleep")
        while True:
            with suppress(OSError, ValueError):  # the log is being reopened
                # Fires only if this thread cannot go on either.
                faulthandler.dump_traceback_later(self._patience, file=self._stream())
            sleep(self._pause)
            late = time.monotonic() - self._last
            if late > self._suspicious and self._found is None:
                self._found = where(sys._current_frames()[thread])
            if late > self._patience and not self._written:
                self._written = True
                self._write(late, where(sys._current_frames()[thread]))

    def _write(self, late: float, found: str) -> None:
        # Not with the logger: the code that blocks the worker may hold the logger's lock.
        now = time.strftime("%Y-%m-%d %H:%M:%S %z")
        line = f"[{now}] [{os.getpid()}] [ERROR] Blocked for {late:.1f} seconds by now: {found}\n"
        with suppress(OSError, ValueError):
            os.write(self._stream().fileno(), line.encode(errors="backslashreplace"))


def where(frame: FrameType | None) -> str:
    """One line: the path of the request, and the calls down to the view, innermost first."""
    calls = []
    for each in _outwards(frame):
        name = each.f_globals.get("__name__", "")
        if name in _AROUND:
            break
        calls.append(f"{each.f_code.co_filename}:{each.f_lineno} {each.f_code.co_name}")
    handler = handler_of(frame)
    path = repr(handler.path.partition("?")[0][:_LONGEST_PATH]) if handler is not None else ""
    shown = " < ".join(calls[:_CALLS]) + (" < ..." if len(calls) > _CALLS else "")
    return " ".join(part for part in (path, shown) if part)


def handler_of(frame: FrameType | None) -> Any:
    """The WebSocketHandler whose request is served there, or None."""
    for each in _outwards(frame):
        if each.f_globals.get("__name__") == "django_websocket.server.handler":
            handler = each.f_locals.get("self")
            if isinstance(getattr(handler, "path", None), str):
                return handler
    return None


def waits_for_client(frame: FrameType) -> bool:
    """Whether the greenlet is in a socket's ``receive()``, or is ending."""
    return any(
        each.f_code.co_name in ("receive", "_finish")
        and each.f_globals.get("__name__", "").startswith("django_websocket.")
        for each in _outwards(frame)
    )


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
