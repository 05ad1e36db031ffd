"""Everybody comes at once: thousands of chat sockets, opened within a second.

``make storm`` starts a stack and prints the figures; ``tests/integration/test_storm.py`` is a
smaller one. The clients ask for the whole history, as a page does that has just been loaded.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

#: Seconds within which all connections are opened, a first message has to come, and sockets have
#: to stay open after that.
OPENED_WITHIN, FIRST_WITHIN, OPEN_FOR = 1.0, 15.0, 10.0

ROOMS = 20

#: nginx lets one address have 1,000 sockets.
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 8)]

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Visitor:
    """``outcome`` is "open", or what came instead: "HTTP 502", "closed 1013", "cut off", …"""

    def __init__(self, number: int, port: int) -> None:
        self._number = number
        self._port = port
        self._received = bytearray()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.bind((ADDRESSES[number % len(ADDRESSES)], 0))
        self.began = time.monotonic()
        #: Seconds after ``began``.
        self.accepted: float | None = None
        self.first: float | None = None
        self.outcome = "no answer"
        self.socket.connect_ex(("127.0.0.1", port))

    def send_handshake(self) -> None:
        """Once the connection stands."""
        self._send(
            f"GET /chat/storm-{self._number % ROOMS}/?since=0 HTTP/1.1\r\n"
            f"Host: localhost:{self._port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def receive(self) -> bool:
        """Take what has come; False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self._received += data
        if self.accepted is None:
            self._take_answer()
        while self.accepted is not None and self._take_frame():
            pass
        if not data and self.outcome in ("open", "no answer"):
            self.outcome = "cut off"
        return bool(data) and self.outcome in ("open", "no answer")

    def _take_answer(self) -> None:
        head, end, rest = bytes(self._received).partition(b"\r\n\r\n")
        if end:
            status = head.split()[1].decode()
            self._received = bytearray(rest)
            if status == "101":
                self.accepted, self.outcome = time.monotonic() - self.began, "open"
            else:
                self.outcome = f"HTTP {status}"

    def _take_frame(self) -> bool:
        frame = self._received
        if len(frame) < 2:
            return False
        start = 2 + {126: 2, 127: 8}.get(frame[1], 0)
        length = frame[1] if start == 2 else int.from_bytes(frame[2:start])
        if len(frame) < start + length:
            return False
        opcode, payload = frame[0] & 15, bytes(frame[start : start + length])
        del frame[: start + length]
        if opcode == _TEXT and self.first is None:
            self.first = time.monotonic() - self.began
        elif opcode == _CLOSE:
            self.outcome = f"closed {int.from_bytes(payload[:2])}"
        elif opcode == _PING:
            self._send(bytes([0x80 | _PONG, 0x80 | length, 0, 0, 0, 0]) + payload)
        return True

    def _send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except OSError:
            self.outcome = "cut off"


def storm(port: int, sockets: int, open_for: float = OPEN_FOR) -> list[Visitor]:
    """Let so many visitors come; returns them when they have stayed, disconnected."""
    poll, visitors = select.epoll(), {}
    began = time.monotonic()
    calm = began + OPENED_WITHIN + FIRST_WITHIN
    while (now := time.monotonic()) < calm + open_for:
        due = min(sockets, int((now - began) / OPENED_WITHIN * sockets) + 1)
        for number in range(len(visitors), due):
            visitor = Visitor(number, port)
            visitors[visitor.socket.fileno()] = visitor
            poll.register(visitor.socket, select.EPOLLOUT)
        for fileno, event in poll.poll(0.01, 256):
            visitor = visitors[fileno]
            if event & select.EPOLLOUT:
                visitor.send_handshake()
                poll.modify(fileno, select.EPOLLIN)
            elif not visitor.receive():
                poll.unregister(fileno)
        if now < calm and len(visitors) == sockets and all(v.first for v in visitors.values()):
            calm = now
    poll.close()
    for visitor in visitors.values():
        visitor.socket.close()
    return list(visitors.values())


def report(visitors: list[Visitor]) -> str:
    """One line: how they fared, and when the 101 and the first message came."""
    outcomes = Counter(visitor.outcome for visitor in visitors)
    words = [f"{count} {outcome}" for outcome, count in outcomes.most_common()]
    words.append(f"{sum(visitor.first is None for visitor in visitors)} without a message")
    for name in ("accepted", "first"):
        times = sorted(filter(None, (getattr(visitor, name) for visitor in visitors)))
        if times:
            words.append(f"{name} after {times[len(times) // 2]:.1f} s, at most {times[-1]:.1f} s")
    return "; ".join(words)


def fared_well(visitor: Visitor) -> bool:
    return visitor.outcome == "open" and (visitor.first or FIRST_WITHIN) < FIRST_WITHIN


def main() -> int:
    from .stack import Stack, open_many_files, running

    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    parser.add_argument("--sockets", type=int, default=5000)
    sockets = parser.parse_args().sockets
    open_many_files()
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        running(Stack(Path(folder) / "state")) as stack,
    ):
        load = os.getloadavg()[0]
        visitors = storm(stack.port, sockets)
    sys.stdout.write(f"{sockets} sockets, load average before {load:.1f}: {report(visitors)}\n")
    return 0 if all(map(fared_well, visitors)) else 1


if __name__ == "__main__":
    sys.exit(main())
