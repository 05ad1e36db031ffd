"""Messages of channels as lines, for somebody who follows them in a terminal."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from django_websocket.errors import BrokerError
from django_websocket.pubsub import Message
from django_websocket.pubsub.process import get_dispatcher
from django_websocket.pubsub.reader import Reader

__all__ = ["line", "received", "shown"]

#: Seconds between two looks at whether the broker is still there.
_LOOK = 1.0

#: Characters that a terminal obeys instead of showing: controls, line separators, and those that
#: change the direction of writing.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

#: How many bytes of a binary message are shown.
_SHOWN = 32


def received(
    reader: Reader, timeout: float | None, say: Callable[[str], object]
) -> Iterator[Message]:
    """Messages until ``timeout`` seconds pass without one. Says when the broker goes."""
    away, last = False, time.monotonic()
    while timeout is None or time.monotonic() < last + timeout:
        message = None
        try:
            message = reader.receive(min(_LOOK, timeout or _LOOK))
            gone = False
        except TimeoutError:
            gone = not get_dispatcher().census().connected
        except BrokerError:
            gone = True
            time.sleep(_LOOK)
        if gone and not away:
            say("The broker is away. Waiting for it; nothing kept is skipped.")
        elif away and not gone:
            say("The broker is back.")
        away = gone
        if message is not None:
            yield message
            last = time.monotonic()


def line(message: Message) -> str:
    """The id, the channel, and the JSON; in parentheses what is no JSON."""
    return f"{message.id} {shown(message.channel)} {_content(message)}"


def _content(message: Message) -> str:
    if message.gap:
        return "(gap: the history no longer has the messages up to this id)"
    if message.cleared:
        return "(the history was cleared)"
    if message.retracted:
        return f"(took back {message.retracted})"
    if message.edited:
        return f"(edited {message.edited}) {shown(message.json)}"
    if message.binary:
        rest = "…" if len(message.data) > _SHOWN else ""
        return f"({len(message.data)} bytes: {message.data[:_SHOWN].hex()}{rest})"
    return shown(message.json)


def shown(text: str) -> str:
    """``text`` without what a terminal would obey; JSON stays the same JSON."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
