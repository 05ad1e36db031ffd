"""A host with as many sockets as this machine has files for, and what becomes of them.

``make full-host`` fills the two WebSocket gunicorns of a stack, through nginx, with members in chat
rooms, measures memory and processor time, restarts every gunicorn, takes one away for good, and
prints the figures. The clients are those of another library, and wait as websocket.js does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import select
import socket
import statistics
import sys
import tempfile
import threading
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import redis
from supervisor.xmlrpc import SupervisorTransport
from websockets.asyncio.client import connect

from .crowd import Listener, read_pages
from .redis import redis_server
from .site import prepare
from .stack import Stack, open_many_files, running
from .visitors import saying

FIRST = "websocket:websocket-1"
ROOM_SIZE = 50
#: nginx lets one address have 1,000 sockets, the chat a member 100 in each process.
PER_ADDRESS, PER_MEMBER = 900, 50
MESSAGES_A_SECOND, PAGES_A_SECOND = 20, 50
#: Seconds that sockets have to come (back), and that messages are measured for.
PATIENCE, STEADY = 180.0, 20.0


class Member(Listener):
    """In a room of the chat."""

    def _take(self, message: dict) -> None:
        if "channel" in message and "id" in message:
            super()._take(message)


class Host:
    """A stack with its clients, and what its processes use."""

    def __init__(self, stack: Stack, sockets: int) -> None:
        self._stack = stack
        self.port = stack.port
        self._cookies = prepare(
            {"STATE_DIR": str(stack.state)},
            users=-(-sockets // PER_MEMBER), settings="project.settings",
        )  # fmt: skip
        self._url = f"ws://localhost:{stack.port}/chat/full-{{}}/?"
        self.members = [
            Member(
                self._url.format(number % max(1, sockets // ROOM_SIZE)),
                additional_headers={"Cookie": self._cookies[number // PER_MEMBER]},
                local_addr=(f"127.0.1.{number // PER_ADDRESS + 1}", 0),
            )
            for number in range(sockets)
        ]

    @property
    def open(self) -> int:
        return sum(member.is_open for member in self.members)

    def workers(self, kind: str) -> list[psutil.Process]:
        """The processes that do the work: "websocket", "nginx"."""
        programs = (
            [f"websocket:websocket-{each}" for each in (1, 2)] if kind == "websocket" else [kind]
        )
        masters = [psutil.Process(pid) for pid in map(self._stack.pid, programs) if pid]
        return [
            process
            for master in masters
            for process in master.children(recursive=True)
            if not process.children()
        ]

    def memory(self, kind: str) -> int:
        """In bytes; what processes share counts once."""
        return sum(worker.memory_full_info().pss for worker in self.workers(kind))

    def processor(self, kind: str) -> float:
        """Seconds of processor time so far."""
        return sum(sum(worker.cpu_times()[:2]) for worker in self.workers(kind))

    async def settled(self) -> None:
        """Once all sockets have been open for three seconds; raises ``TimeoutError``."""
        full_since = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            while time.monotonic() < full_since + 3:
                await asyncio.sleep(0.05)
                if self.open < len(self.members):
                    full_since = time.monotonic()

    async def talk(self, over: asyncio.Event) -> None:
        """A member of another room every time says the time."""
        rooms = len(self.members) // ROOM_SIZE
        async with contextlib.AsyncExitStack() as stack:
            headers = {"Cookie": self._cookies[0]}
            talkers = [
                await stack.enter_async_context(
                    connect(self._url.format(room * rooms // 10), additional_headers=headers)
                )
                for room in range(10)
            ]
            for talker in itertools.cycle(talkers):
                if over.is_set():
                    break
                await talker.send(saying(str(time.monotonic())))
                await asyncio.sleep(1 / MESSAGES_A_SECOND)


async def measure(stack: Stack, sockets: int) -> None:
    host = await asyncio.to_thread(Host, stack, sockets)
    before = {kind: host.memory(kind) for kind in ("websocket", "nginx")}
    used = host.processor("websocket")
    tasks = []
    began = time.monotonic()
    for number, member in enumerate(host.members):
        tasks.append(asyncio.create_task(member.run()))
        while number - host.open > 100 and time.monotonic() < began + PATIENCE:
            await asyncio.sleep(0.01)
    while host.open < sockets:
        if time.monotonic() > began + PATIENCE:
            codes = Counter(code for member in host.members for code in member.codes)
            raise TimeoutError(f"{host.open} of {sockets} came; closed by code: {dict(codes)}")
        await asyncio.sleep(0.05)
    say(f"{sockets} sockets of members, {ROOM_SIZE} a room, in {time.monotonic() - began:.0f} s; "
        f"a handshake takes {(host.processor('websocket') - used) / sockets * 1e3:.1f} ms of the "
        "gunicorns' processor time")  # fmt: skip
    for kind, bytes_before in before.items():
        say(f"{kind}: {(host.memory(kind) - bytes_before) / sockets / 1000:.1f} kB a socket")
    await messages(host)
    await fault(host, "loss of an instance", lambda: take_away(stack))
    control(stack).startProcess(FIRST)
    await asyncio.to_thread(stack.wait_until_whole)
    await fault(host, "rolling restart", lambda: stack.do("restart", timeout=300))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def messages(host: Host) -> None:
    received = sum(len(member.received) for member in host.members)
    used = {kind: host.processor(kind) for kind in ("websocket", "nginx")}
    over = asyncio.Event()
    talking = asyncio.create_task(host.talk(over))
    await asyncio.sleep(STEADY)
    over.set()
    await talking
    await asyncio.sleep(1)
    count = sum(len(member.received) for member in host.members) - received
    costs = (
        f"{(host.processor(kind) - cpu) / count * 1e6:.0f} us of {kind}"
        for kind, cpu in used.items()
    )
    say(f"a message to one socket, {count / STEADY:.0f} a second, idle sockets' pings included: "
        f"{' and '.join(costs)}")  # fmt: skip


async def fault(host: Host, name: str, happens: Callable[[], object]) -> None:
    """Let it happen, and say how its clients fared, and those who read pages."""
    closes = {id(member): len(member.codes) for member in host.members}
    away = {id(member): len(member.away) for member in host.members}
    over = asyncio.Event()
    reading = asyncio.create_task(read_pages(host.port, "/accounts/login/", PAGES_A_SECOND, over))
    await asyncio.to_thread(happens)
    await host.settled()
    over.set()
    read = await reading
    codes = Counter(code for each in host.members for code in each.codes[closes[id(each)] :])
    times = [time for each in host.members for time in each.away[away[id(each)] :]]
    pages = sorted(seconds for seconds, _ in read)
    failed = sum(status != 200 for _, status in read)
    said = ", ".join(f"{count} with {code}" for code, count in sorted(codes.items()))
    say(f"{name}: closed {said}; away for "
        f"{statistics.median(times):.1f} s, at most {max(times):.1f} s; {failed} of {len(pages)} "
        f"pages failed, 99 % within {pages[len(pages) * 99 // 100]:.2f} s")  # fmt: skip


def take_away(stack: Stack) -> None:
    """One WebSocket gunicorn is killed, and supervisor does not start it again."""
    master = psutil.Process(stack.pid(FIRST))
    workers = master.children()
    control(stack).stopProcess(FIRST, False)
    for process in (master, *workers):
        process.kill()


def control(stack: Stack) -> Any:
    """supervisor's own interface."""
    transport = SupervisorTransport(serverurl=f"unix://{stack.state}/run/supervisor.sock")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport).supervisor


def copies(subscribers: int = 200, messages: int = 2_000) -> str:
    """What it costs one Redis to send a message to so many subscribing processes."""
    with redis_server() as server, contextlib.ExitStack() as stack:
        epoll = stack.enter_context(select.epoll())
        clients = {}
        for _ in range(subscribers):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(server.url.removeprefix("unix://"))
            client.sendall(b"SUBSCRIBE everybody\r\n")
            clients[client.fileno()] = client
            epoll.register(client, select.EPOLLIN)
        publisher = stack.enter_context(redis.Redis.from_url(server.url))
        process = psutil.Process(publisher.info("server")["process_id"])
        before, began, received = sum(process.cpu_times()[:2]), time.monotonic(), 0
        expected = messages * subscribers * len(_copy("x" * 100))
        publishing = threading.Thread(target=_publish, args=(publisher, messages))
        publishing.start()
        while received < expected:
            for fileno, _ in epoll.poll():
                received += len(clients[fileno].recv(2**20))
        publishing.join()
        seconds = sum(process.cpu_times()[:2]) - before
        rate = messages * subscribers / (time.monotonic() - began)
    cost = seconds / messages / subscribers * 1e6
    return (
        f"one Redis, {subscribers} subscribing processes, one message of 100 bytes at a time: "
        f"{rate:.0f} copies a second on the clock, {cost:.2f} us of Redis each"
    )


def _copy(data: str) -> bytes:
    """A message as Redis sends it."""
    return f"*3\r\n$7\r\nmessage\r\n$9\r\neverybody\r\n${len(data)}\r\n{data}\r\n".encode()


def _publish(client: redis.Redis, messages: int) -> None:
    for _ in range(messages):
        client.publish("everybody", "x" * 100)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make full-host", description=__doc__)
    parser.add_argument("--sockets", type=int, default=9000)
    sockets = parser.parse_args().sockets
    open_many_files()
    say(f"load average before: {os.getloadavg()[0]:.1f}")
    say(copies())
    # Under /tmp: the path of a unix socket is at most 107 bytes long.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        running(Stack(Path(folder) / "state")) as stack,
    ):
        asyncio.run(measure(stack, sockets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
