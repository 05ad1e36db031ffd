"""``python -m django_websocket.load ws://…``: how a site fares with many sockets.

It opens sockets, has some of them send, measures how long the handshakes take and how long each
message takes to each socket that receives it, and prints percentiles. It needs no Django, so it
can run on another machine than the site; on the same one it takes processor time from it.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import resource
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.uri import parse_uri

__all__ = ["main"]

#: Seconds that a handshake may take, and that messages may still take at the end.
_PATIENCE, _AFTER = 60.0, 5.0

#: Descriptors of this process besides its sockets.
_OTHER_FILES = 32

_PERCENTILES = (50, 90, 99, 99.9)


class _Load:
    """One run. Times are in seconds."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._marker = f"load-{secrets.token_hex(4)}-"
        self._found = re.compile(rf"{self._marker}(\d+)-")
        self._sent_at: list[float] = []
        self._sockets: list[ClientConnection] = []
        self.handshakes: list[float] = []
        self.deliveries: list[float] = []
        #: What came in place of a socket, and how open ones were closed by the server.
        self.failures: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self._over = False

    @property
    def sent(self) -> int:
        return len(self._sent_at)

    async def run(self) -> None:
        options = self._options
        async with asyncio.TaskGroup() as group:
            due = time.monotonic()
            tasks = []
            for _ in range(options.sockets):
                tasks.append(group.create_task(self._visit()))
                due += 1 / options.rate
                await asyncio.sleep(due - time.monotonic())
            while len(self._sockets) + sum(self.failures.values()) < options.sockets:
                await asyncio.sleep(0.05)
            await self._send()
            self._over = True
            for socket in self._sockets:
                group.create_task(socket.close())

    async def _visit(self) -> None:
        began = time.monotonic()
        headers = [tuple(header.split(": ", 1)) for header in self._options.header]
        try:
            async with connect(
                self._options.url,
                additional_headers=headers,
                compression=None, ping_interval=None, open_timeout=_PATIENCE,
                max_size=None, max_queue=None,
            ) as socket:  # fmt: skip
                self.handshakes.append(time.monotonic() - began)
                self._sockets.append(socket)
                await self._receive(socket)
        except InvalidStatus as refused:
            self.failures[f"HTTP {refused.response.status_code}"] += 1
        except (OSError, WebSocketException) as error:
            self.failures[f"{type(error).__name__}: {error}".rstrip(": ")] += 1

    async def _receive(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                text = message if isinstance(message, str) else message.decode(errors="replace")
                now = time.monotonic()
                self.deliveries += [
                    now - self._sent_at[int(number)] for number in self._found.findall(text)
                ]
            code = socket.close_code
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
        if not self._over:
            self.closes[str(code)] += 1

    async def _send(self) -> None:
        options = self._options
        began = time.monotonic()
        for number in range(int(options.seconds * options.publish) if self._sockets else 0):
            await asyncio.sleep(max(0.0, began + number / options.publish - time.monotonic()))
            await self._say(self._sockets[number % len(self._sockets)])
        await asyncio.sleep(max(0.0, began + options.seconds - time.monotonic()))
        await self._until_quiet()

    async def _say(self, socket: ClientConnection) -> None:
        self._sent_at.append(time.monotonic())
        marker = f"{self._marker}{self.sent - 1}-"
        try:
            await socket.send(self._options.message.replace("{marker}", marker))
        except ConnectionClosed:
            self._sent_at.pop()

    async def _until_quiet(self) -> None:
        """Until nothing has come for a while: a slow site may have more to send."""
        end = time.monotonic() + _AFTER
        before = -1
        while self.sent and before != len(self.deliveries) and time.monotonic() < end:
            before = len(self.deliveries)
            await asyncio.sleep(0.5)


def _report(load: _Load, wanted: int) -> list[str]:
    opened = len(load.handshakes)
    lines = [f"{opened:,} of {wanted:,} sockets opened{_listed(load.failures)}"]
    if load.handshakes:
        lines.append(f"handshake  {_percentiles(load.handshakes)}")
    if load.sent:
        each = len(load.deliveries) / load.sent
        lines.append(
            f"{load.sent:,} messages sent, received {len(load.deliveries):,} times: "
            f"by {each:,.1f} sockets each"
        )
    if load.deliveries:
        lines.append(f"delivery   {_percentiles(load.deliveries)}")
    if load.closes:
        lines.append(
            f"{sum(load.closes.values()):,} sockets closed by the server{_listed(load.closes)}"
        )
    return lines


def _listed(counts: Counter[str]) -> str:
    return "".join(f"; {count:,} x {what}" for what, count in counts.most_common(5))


def _percentiles(times: Sequence[float]) -> str:
    ordered = sorted(times)
    words = [
        f"{percent:g} % {_ms(ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))])}"
        for percent in _PERCENTILES
    ]
    return ", ".join([*words, f"at most {_ms(ordered[-1])}"])


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.{0 if seconds >= 0.1 else 1}f} ms"


#: Width, height and margin of the picture, in pixels.
_WIDTH, _HEIGHT, _MARGIN = 720, 360, 48


def _picture(curves: dict[str, list[float]]) -> str:
    """An SVG: the share of handshakes and messages that took at most so long."""
    times = [time for curve in curves.values() for time in curve]
    low, high = math.floor(math.log10(max(min(times), 1e-4))), math.ceil(math.log10(max(times)))
    high = max(high, low + 1)

    def x(seconds: float) -> float:
        share = (math.log10(max(seconds, 10**low)) - low) / (high - low)
        return _MARGIN + share * (_WIDTH - 2 * _MARGIN)

    def y(share: float) -> float:
        return _HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN)

    parts = []
    for exponent in range(low, high + 1):
        place = x(10**exponent)
        label = _ms(10**exponent)
        parts += [
            f'<path d="M{place:.1f} {y(0):.1f}V{y(1):.1f}" stroke="#ddd"/>',
            f'<text x="{place:.1f}" y="{y(0) + 20:.1f}" text-anchor="middle">{label}</text>',
        ]
    for share in (0, 0.5, 0.9, 1):
        parts += [
            f'<path d="M{_MARGIN} {y(share):.1f}H{_WIDTH - _MARGIN}" stroke="#ddd"/>',
            f'<text x="{_MARGIN - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>',
        ]
    for number, (name, curve) in enumerate(curves.items()):
        ordered, colour = sorted(curve), ("#17634b", "#c2410c")[number]
        left = _MARGIN + 8 + 120 * number
        places = sorted({int(step * (len(ordered) - 1) / 200) for step in range(201)})
        points = " ".join(
            f"{x(ordered[place]):.1f},{y((place + 1) / len(ordered)):.1f}" for place in places
        )
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{left}" y="{_MARGIN - 16}" fill="{colour}">{name}</text>',
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m django_websocket.load", description=__doc__)
    parser.add_argument("url", help="such as wss://example.com/chat/lobby/")
    parser.add_argument("--sockets", type=_number(int, 1), default=100, help="default: 100")
    parser.add_argument(
        "--rate", type=_number(float, 0.01), default=100.0, help="handshakes a second; default: 100"
    )
    parser.add_argument(
        "--publish",
        type=_number(float, 0),
        default=0.0,
        help="messages a second, of all; default: 0",
    )
    parser.add_argument("--seconds", type=_number(float, 0), default=10.0, help="default: 10")
    parser.add_argument(
        "--message", default="{marker}", metavar="TEXT",
        help="what a socket sends; every socket that receives the {marker} in it counts",
    )  # fmt: skip
    parser.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'",
        help="such as 'Cookie: sessionid=…' or 'Origin: https://example.com'; may be repeated",
    )  # fmt: skip
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="the times as a curve")
    options = parser.parse_args(argv)
    try:
        parse_uri(options.url)
    except InvalidURI as error:
        parser.error(f"expected ws:// or wss://, a host and a path, found {options.url!r}: {error}")
    if "{marker}" not in options.message:
        parser.error("expected {marker} in --message: by it, a message is known again")
    if wrong := [header for header in options.header if ": " not in header]:
        parser.error(f"expected --header 'Name: value', found {wrong[0]!r}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if options.sockets + _OTHER_FILES > hard:
        parser.error(
            f"this process may open {hard} files: pass fewer --sockets, or raise ulimit -n"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return options


def _number(kind: type[int] | type[float], least: float) -> Any:
    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(-1)
        if not least <= value < math.inf:
            raise argparse.ArgumentTypeError(f"expected a number from {least}, found {text!r}")
        return value

    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 if a socket did not open, was closed, or no message arrived."""
    options = _arguments(argv)
    load = _Load(options)
    try:
        asyncio.run(load.run())
    except KeyboardInterrupt:
        sys.stdout.write("Interrupted. Until then:\n")
    sys.stdout.write("\n".join(_report(load, options.sockets)) + "\n")
    curves = {"handshakes": load.handshakes, "messages": load.deliveries}
    curves = {name: times for name, times in curves.items() if times}
    if options.picture and curves:
        options.picture.write_text(_picture(curves))
    return int(bool(load.failures or load.closes or (load.sent and not load.deliveries)))


if __name__ == "__main__":
    sys.exit(main())
