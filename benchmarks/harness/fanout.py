"""Subscribers that check every message, and the flow of messages to all of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from .meter import Meter

SILENCE = 10.0  # seconds without any delivery after which nothing more will come
PROBES = 4

#: At most as many messages are in flight as a server handles in so many seconds, or two.
BACKLOG = 0.5


class Lost(Exception):
    """A message did not reach a subscriber, or arrived out of order."""


class Flow:
    """Publishes the next message when every subscriber has received the oldest one in flight.

    So at most ``window`` messages are on their way to anyone, and no queue ever overflows.
    """

    def __init__(
        self, publish: Callable[[bytes], None], message: Callable[[int], bytes], meter: Meter
    ) -> None:
        self.messages: list[bytes] = []
        self.subscribers: list[Subscriber] = []
        self._publish_bytes = publish
        self._make_message = message
        self._tick = meter.tick
        self._window = 0
        #: By message: how many subscribers have not received it yet.
        self._missing: list[int] = []
        #: The first message that everyone has to receive.
        self._first = 0
        self._deliveries = 0
        self._failure = ""
        self._settled = asyncio.Event()

    def subscriber(self) -> Subscriber:
        self.subscribers.append(Subscriber(self))
        return self.subscribers[-1]

    def fail(self, reason: str) -> None:
        self._failure = self._failure or reason
        self._settled.set()

    def arrived(self, number: int) -> None:
        self._tick()
        self._deliveries += 1
        self._missing[number] -= 1
        if not self._missing[number]:
            if self._window:
                self._publish()
            elif number == len(self.messages) - 1:
                self._settled.set()

    async def begin(self, window: int) -> None:
        """Make sure that every subscriber receives, then keep ``window`` messages in flight.

        Fewer where the server needs so long for one that all would be more than ``BACKLOG``.
        """
        for _ in range(PROBES):
            self._first = len(self.messages)
            self._publish()
            missing = await self._still_missing()
            if not missing:
                break
        else:
            raise Lost(f"{missing} of {len(self.subscribers)} subscribers receive nothing")
        began = time.perf_counter()
        self._publish()
        if await self._still_missing():
            raise Lost("the second message did not reach everyone")
        took = time.perf_counter() - began
        self._window = min(window, max(2, int(BACKLOG / took)))
        for _ in range(self._window):
            self._publish()

    async def end(self) -> None:
        """Stop publishing, and raise :class:`Lost` unless every subscriber receives everything."""
        self._window = 0
        if missing := await self._still_missing():
            total = len(self.subscribers) * (len(self.messages) - self._first)
            raise Lost(f"{missing:,} of {total:,} deliveries never came")

    def _publish(self) -> None:
        message = self._make_message(len(self.messages))
        self.messages.append(message)
        self._missing.append(len(self.subscribers))
        self._publish_bytes(message)

    async def _still_missing(self) -> int:
        """How many deliveries are missing, once nothing more arrives."""
        before = -1
        while (missing := sum(self._missing[self._first :])) and before != self._deliveries:
            before = self._deliveries
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                if not self._failure:
                    await asyncio.wait_for(self._settled.wait(), SILENCE)
        if self._failure:
            raise Lost(self._failure)
        return missing


class Subscriber(WSListener):
    """Expects each message of the flow once and in order, starting anywhere."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._messages = flow.messages
        self._next = -1
        #: The position of the message in what the server sends.
        self._place = slice(0)
        self.transport: WSTransport | None = None

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload, number = frame.get_payload_as_bytes(), self._next
        if number >= 0 and payload[self._place] == self._messages[number]:
            self._next = number + 1
            self._flow.arrived(number)
        elif frame.msg_type == WSMsgType.CLOSE:
            self._flow.fail(f"the server closed a subscriber with {frame.get_close_code()}")
        elif number < 0:
            self._hear_first(payload)
        else:
            self._flow.fail(f"expected message {number}, found {payload[:100]!r}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._flow.fail("the server hung up on a subscriber")

    def _hear_first(self, payload: bytes) -> None:
        for number, message in enumerate(self._messages):
            if (start := payload.find(message)) >= 0:
                self._place = slice(start, start + len(message))
                self._next = number + 1
                self._flow.arrived(number)
                return
        self._flow.fail(f"nobody has published {payload[:100]!r}")
