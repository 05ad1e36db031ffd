"""Clients of a library of others that keep the rules of websocket.js: what they wait after a close,
and where they go on."""

import asyncio
import contextlib
import json
import random
import time
from typing import Any

import websockets
from websockets.asyncio.client import connect

from .raw_http import get

#: A socket that was open for so many seconds has not failed.
_STEADY = 5


class Listener:
    """``received`` are the ids and the data of all messages, also of those that came twice.

    ``options`` are those of ``websockets.asyncio.client.connect``.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = {"compression": None, "ping_interval": None, "open_timeout": 60, **options}
        self.since = "0"
        self.received: list[tuple[str, object]] = []
        #: How many announcements of a gap came.
        self.gaps = 0
        #: The code of each close, the status of each refusal, and when that was.
        self.codes: list[int] = []
        self.closed: list[float] = []
        #: Seconds from the loss of an open socket to the next one.
        self.away: list[float] = []
        self._lost: float | None = None
        self._failures = 0
        self.is_open = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            code = 1006
            try:
                code = await self._listen()
            except websockets.InvalidStatus as refused:
                code = refused.response.status_code
            except (OSError, websockets.WebSocketException):
                pass
            self.codes.append(code)
            if self.is_open:
                self._lost = time.monotonic()
                self.closed.append(self._lost)
            self.is_open = False
            await asyncio.sleep(self._wait(code))

    async def _listen(self) -> int:
        began = time.monotonic()
        url = f"{self._url}&since={self.since}"
        async with connect(url, **self._options) as socket:
            self.is_open = True
            if self._lost is not None:
                self.away.append(time.monotonic() - self._lost)
            with contextlib.suppress(websockets.ConnectionClosed):
                async for text in socket:
                    self._take(json.loads(text))
        if time.monotonic() - began > _STEADY:
            self._failures = 0
        return socket.close_code or 1006

    def _take(self, message: dict) -> None:
        if message.get("gap"):
            self.gaps += 1
        self.received.append((message["id"], message.get("data")))
        self.since = max(self.since, message["id"])

    def _wait(self, code: int) -> float:
        bound = min(30, (0.25 if code == 1012 else 1) * 2**self._failures)
        self._failures += 1
        return (5 if code == 1013 else 0) + random.uniform(0, bound)


async def read_pages(
    port: int, target: str, rate: float, over: asyncio.Event
) -> list[tuple[float, int | None]]:
    """Until it is over, at a steady rate, each over a connection of its own, whatever becomes of
    the last one. The seconds that each took, and its status.
    """
    pages = []

    async def read() -> None:
        began, response = time.monotonic(), None
        with contextlib.suppress(OSError):
            response = await asyncio.to_thread(get, port, target)
        pages.append((time.monotonic() - began, response.status if response else None))

    async with asyncio.TaskGroup() as group:
        due = time.monotonic()
        while not over.is_set():
            group.create_task(read())
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return pages


def announce(port: int, channel: str, text: str) -> str | None:
    """Publish once, through an HTTP process: the id, or None if it did not say that it is done."""
    target, length = f"/probe/announce/?channel={channel}", [("Content-Length", str(len(text)))]
    response = get(port, target, length, method="POST", body=text.encode())
    return response.body.decode() if response and response.status == 200 else None
