"""A channel's history, read page by page, each page once for all readers."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

from django_websocket.errors import BrokerError
from django_websocket.metrics import Timed, counters

from .brokers.base import Broker, History, is_set_while_answered
from .channel import Channel
from .chores import Chores
from .message import BEGINNING, ZERO, Message, is_id

__all__ = ["PAGE", "Page", "Pages", "count_replayed", "messages"]

#: Messages of a page, and roughly its bytes. A client that does not read keeps one page, which it
#: shares with the clients at the same position.
PAGE, PAGE_SIZE = 256, 256 * 1024

#: Messages of a channel's first page. Only then is it known how many messages fill a page.
_FIRST_PAGE = 32

#: For how many seconds others can use a page, and how many bytes of pages a process keeps for that.
#: When all clients reconnect at once, each page is read and encoded once.
_FRESH, _KEPT = 2.0, 16 * 1024 * 1024


class Page:
    """Messages that follow each other in a channel, gaps among them.

    ``position``
        The position after them.
    ``more``
        Whether the history has more after it.
    """

    __slots__ = ("messages", "more", "position", "size")

    def __init__(self, found: list[Message], position: str, *, more: bool) -> None:
        self.messages = found
        self.position = position
        self.more = more
        self.size = sum(message.size for message in found)


class _Reading:
    """One reader of a page, and perhaps others that wait for it."""

    __slots__ = ("channel", "done", "error", "fresh_until", "page")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.done = threading.Event()
        self.page: Page | None = None
        self.error: BaseException | None = None
        self.fresh_until = time.monotonic() + _FRESH

    def serves(self, channel: Channel) -> bool:
        """Whether it reaches, or may reach, the position that ``channel`` has been delivered to."""
        if self.channel is not channel:
            # In between nobody here listened, so nobody noticed if something was taken back. That
            # would have been published.
            if self.channel.position != channel.position:
                return False
            self.channel = channel
        page = self.page
        return page is None or page.more or page.position >= (channel.position or ZERO)


class Pages:
    """Pages of channels' histories, read from the broker and kept briefly for other readers."""

    def __init__(self, broker: Broker, chores: Chores) -> None:
        self._broker = broker
        self._chores = chores
        #: By channel and position, in the order of time.
        self._readings: OrderedDict[tuple[str, str], _Reading] = OrderedDict()
        self._size = 0
        #: The broker was unreachable, and may have lost what was published before this time.
        self._whole_since = ZERO
        # Held while the two above change. Never while waiting.
        self._lock = threading.Lock()

    def get(self, channel: Channel, since: str) -> Page:
        """The page after ``since``. Raises :class:`BrokerError`."""
        since = since if is_id(since) or since == BEGINNING else "?"
        key = channel.name, since
        while True:
            with self._lock:
                reading = self._readings.get(key)
                mine = reading is None or not reading.serves(channel)
                if reading is None or mine:
                    self._forget(key)
                    reading = self._readings[key] = _Reading(channel)
            if mine:
                return self._read(channel, since, reading)
            if not is_set_while_answered(reading.done, self._broker):
                raise BrokerError(f"the broker does not answer, so {key[0]} delivers nothing")
            if reading.page is not None:
                return reading.page
            if isinstance(reading.error, BrokerError):
                raise type(reading.error)(*reading.error.args)
            # The reader was killed, or its time was up. That does not affect the others.

    def forget(self, name: str) -> None:
        """Drop the channel's pages, so that the next reader reads them again."""
        with self._lock:
            for key in [key for key in self._readings if key[0] == name]:
                self._forget(key)

    def doubt(self, position: str) -> None:
        """The broker was unreachable until then, and may have lost the last messages."""
        with self._lock:
            self._whole_since = position
            for key in list(self._readings):
                self._forget(key)

    def _read(self, channel: Channel, since: str, reading: _Reading) -> Page:
        key = channel.name, since
        try:
            page = self._page(channel, since)
        except BaseException as error:
            reading.error = error
            with self._lock:
                if self._readings.get(key) is reading:
                    del self._readings[key]
            raise
        else:
            with self._lock:
                if self._readings.get(key) is reading:
                    reading.page = page
                    self._size += page.size
                    while self._size > _KEPT:
                        self._forget(next(iter(self._readings)))
                reading.page = page
            self._chores.call(_TIDY, self._tidy_up, _FRESH)
            return page
        finally:
            reading.done.set()

    def _page(self, channel: Channel, since: str) -> Page:
        delivered = channel.position or ZERO
        limit = channel.page or _FIRST_PAGE
        position = since if is_id(since) else ZERO
        with Timed("read"):
            [history] = self._broker.read([(channel.name, position)], limit)
        if history.error is not None:
            raise history.error
        history = history._replace(whole_since=max(history.whole_since, self._whole_since))
        found: list[Message] = []
        size = 0
        for message in messages(channel.name, history, _start(history, since)):
            found.append(channel.recent(message))
            size += message.size
            if size >= PAGE_SIZE and message.id < history.last:
                return self._full(channel, found, size, message.id)
        if history.more is not None:
            return self._full(channel, found, size, history.more)
        # A broker that has lost its data is behind the position delivered here.
        return Page(found, max(history.last, delivered), more=False)

    def _full(self, channel: Channel, found: list[Message], size: int, position: str) -> Page:
        fitting = PAGE_SIZE * len(found) // max(size, 1)
        channel.page = max(1, min(PAGE, fitting, 2 * (channel.page or _FIRST_PAGE)))
        return Page(found, position, more=True)

    def _forget(self, key: tuple[str, str]) -> None:
        reading = self._readings.pop(key, None)
        if reading is not None and reading.page is not None:
            self._size -= reading.page.size

    def _tidy_up(self) -> None:
        now = time.monotonic()
        with self._lock:
            while self._readings:
                key, reading = next(iter(self._readings.items()))
                if reading.fresh_until > now:
                    self._chores.call(_TIDY, self._tidy_up, reading.fresh_until - now)
                    return
                self._forget(key)


#: What the chore is called in the log.
_TIDY = "Forgetting pages of histories"


def messages(
    channel: str, history: History, position: str, *, own: bool = False
) -> Iterator[Message]:
    """The messages of a history, gaps among them."""
    for item in history.since(position, own=own):
        if isinstance(item, str):
            yield Message(channel, item, None)
        else:
            yield Message(channel, item.id, item.payload)


def count_replayed(message: Message) -> None:
    """Count a message of a page that one member gets."""
    if message.gap:
        counters.gaps += 1
    else:
        counters.replayed += 1


def _start(history: History, since: str) -> str:
    """The position that a client means."""
    if is_id(since):
        return since
    if since == BEGINNING:
        return history.entries[0].previous if history.entries else history.last
    return ""  # no message has ever had this id, so everything kept comes after a gap
