"""A client that sends too much, too fast or too slowly, and what it costs somebody else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import psutil
import redis

from support.frames import TEXT, deflated, frame
from support.raw_client import RawClient
from support.raw_http import HANDSHAKE, Connection, compose, get
from support.server import OUR_WORKER, PATIENCE, ROOT, serve
from support.slow_clients import COUNT, slow_clients
from support.stack import Stack
from support.visitors import Visitor

from .model import attack

SECONDS = 4
#: Seconds of the worker's own time that a small echo of others takes: 99 of 100, the slowest.
USUAL, SLOWEST = 0.1, 0.4

KINDS = {
    "echoes": ("/echo/", "x"),
    "chat events": ("/chat/flooded/", '{"type":"enter","data":{"name":"x"}}'),
    "messages that take a millisecond": ("/probe/busy/", "x"),
    "pings, reading nothing": ("/probe/busy/", "ping", "--deaf"),
    "fragments": ("/probe/busy/", "fragment"),
    "empty messages": ("/echo/", "empty"),
    "echoes, reading nothing": ("/echo/", "x" * 100, "--deaf"),
}


#: How often a flood is repeated that seems to have cost too much: on a busy machine, a worker does
#: more until the neighbour's own process gets its turn.
TRIES = 3


def used(pid: int) -> float:
    """The processor time of a worker so far, in seconds: what else runs does not count."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


class Neighbours:
    """Sockets on both workers, whose small messages are answered while others flood."""

    def __init__(self, stack: Stack) -> None:
        masters = [stack.pid(f"websocket:websocket-{number}") for number in (1, 2)]
        self._workers = [psutil.Process(master).children()[0].pid for master in masters]
        self._probes = [self._connect(stack) for _ in range(4)]

    def _connect(self, stack: Stack):
        socket = stack.connect("/probe/")
        return socket, self._workers[int(json.loads(socket.recv())["instance"]) - 1]

    def ask(self, seconds: float = SECONDS - 1) -> Cost:
        """What it costs them; closes them."""
        of_worker, of_clock = [], []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for socket, worker in self._probes:
                before, began = used(worker), time.monotonic()
                socket.send("x" * 16)
                assert socket.recv() == "x" * 16
                of_worker.append(used(worker) - before)
                of_clock.append(time.monotonic() - began)
        for socket, _ in self._probes:
            socket.close()
        return Cost(of_worker, of_clock)


class Cost:
    """Seconds that a small message took: of its worker's own time, and on the clock."""

    def __init__(self, of_worker: list[float], of_clock: list[float]) -> None:
        self._worker, self._clock = of_worker, of_clock

    def __str__(self) -> str:
        worker, clock = (
            f"99 % {percentile(each) * 1000:.0f} ms, slowest {max(each) * 1000:.0f} ms"
            for each in (self._worker, self._clock)
        )
        return f"{worker} of the worker's time; {clock} on the clock"

    @property
    def bearable(self) -> bool:
        return percentile(self._worker) < USUAL and max(self._worker) < SLOWEST


def cost_of(stack: Stack, kind: str, *words: str | Path | int) -> str:
    """What a flood by this program costs others, which is no more than it may."""
    for _ in range(TRIES):
        neighbours = Neighbours(stack)
        with program(*words):
            cost = neighbours.ask()
        if cost.bearable:
            return f"\n    {kind}: {cost}"
    raise AssertionError(f"{kind}: {cost}")


def percentile(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


@contextlib.contextmanager
def program(*words: str | Path, seconds: float = SECONDS) -> Iterator[None]:
    """A process of its own that floods, once it says so."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True, env=environment
    )
    with process:
        assert process.stdout.readline() == "flooding\n"
        yield
        process.wait(seconds + PATIENCE)


@attack(
    "Floods by one socket",
    "512 KiB bursts of echoes, chat events, slow and empty messages, pings and fragments, by "
    "clients that read the answers and by some that do not",
    "A message of somebody else's on the same worker is answered within 100 ms of the worker's "
    "time in 99 of 100 cases, and 400 ms at worst.",
)
def floods(stack: Stack) -> str:
    flooder = ROOT / "tests" / "support" / "flooder.py"
    return "".join(
        cost_of(stack, kind, flooder, stack.port, path, SECONDS, *rest)
        for kind, (path, *rest) in KINDS.items()
    )


@attack(
    "Floods of handshakes and pages",
    "one address opens and drops sockets, and asks for pages, as fast as it can",
    "As above. nginx lets an address send 50 handshakes a second, after 2,000 at once; more get"
    " 429.",
)
def many_handshakes(stack: Stack) -> str:
    return "".join(
        cost_of(stack, kind, "-m", "attack.crowd", stack.port, kind, SECONDS)
        for kind in ("handshakes", "dropped", "pages")
    )


@attack(
    "Floods by a hundred sockets of one address",
    "a hundred sockets send echoes, and chat events, without a pause",
    "As above: who has little to do goes before those who have much. In the chat, a socket may send"
    " ten messages a second, after 300 at once.",
)
def many_floods(stack: Stack) -> str:
    return "".join(
        cost_of(stack, kind, "-m", "attack.crowd", stack.port, kind, SECONDS)
        for kind in ("many echoes", "many chats")
    )


@attack(
    "A thousand sockets of one address",
    "1,020 sockets at once from one address, while another one comes",
    "The 1,001st gets 429; the other address gets in.",
)
def many_sockets(stack: Stack) -> str:
    with contextlib.ExitStack() as sockets:
        statuses = []
        for _ in range(1020):
            client = sockets.enter_context(Connection(stack.port, source="127.0.0.77"))
            client.send(compose("/echo/", HANDSHAKE))
            statuses.append(client.response().status)
        other = sockets.enter_context(Connection(stack.port, source="127.0.0.78"))
        other.send(compose("/echo/", HANDSHAKE))
        assert other.response().status == 101
    opened, refused = statuses.count(101), statuses.count(429)
    assert opened <= 1000
    assert opened + refused == 1020
    return f"{opened} opened, {refused} refused"


@attack(
    "A full Redis",
    "messages of 100 kB into 300 rooms, for a Redis with room for 80 of them",
    "Every message is accepted: the histories that would expire next make room. A room's "
    "history is bounded, too.",
)
def full_redis(stack: Stack) -> str:
    with redis.Redis(unix_socket_path=str(stack.state / "run" / "redis.sock")) as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 8_000_000)
        try:
            statuses = []
            with Connection(stack.port) as connection:
                for number in range(300):
                    target = f"/probe/announce/?channel=full-{number}"
                    size = (("Content-Length", "100000"),)
                    body = b"x" * 100_000
                    connection.send(compose(target, size, method="POST", body=body))
                    statuses.append(connection.response("POST").status)
            assert set(statuses) == {200}, statuses
            with Visitor(stack, "after-the-flood") as visitor:
                visitor.say("still here")
            kept = sum(
                client.exists(f"websocket:{{full-{number}}}:history") for number in range(300)
            )
        finally:
            client.config_set("maxmemory", before)
    assert 20 < kept < 100, kept
    return f"300 messages accepted, the histories of {kept} rooms kept"


@attack(
    "Compression bombs",
    "with compression on: a gigabyte in one megabyte, in one message and in fragments; a "
    "thousand messages that decompress to a megabyte each",
    "What decompresses to more than WEBSOCKET_MAX_MESSAGE_SIZE closes with 1009 before it is in"
    " memory; many small ones cost a neighbour no more than any flood.",
)
def bombs(stack: Stack) -> str:
    settings = {"RAW_APP_SETTINGS": json.dumps({"WEBSOCKET_COMPRESSION_THRESHOLD": 0})}
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    gigabyte, megabyte = deflated(b"\0" * 2**30), deflated(b"\0" * (2**20 - 8))
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        serve("support.raw_app", OUR_WORKER, Path(folder) / "log", settings) as server,
    ):
        server.connect("/echo")  # so the worker is there
        worker = psutil.Process(server.pid).children()[0]
        before = worker.memory_info().rss
        for bomb in (
            frame(TEXT, gigabyte, rsv=4),
            frame(TEXT, gigabyte[:500_000], rsv=4, fin=False) + frame(0, gigabyte[500_000:]),
        ):
            with RawClient(server.address) as client:
                client.open("/echo", offer)
                with contextlib.suppress(OSError):
                    client.send(bomb)
                assert client.receive_close()[0] == 1009
        grown = (worker.memory_info().rss - before) / 2**20
        assert grown < 64, grown
        return f"memory grew by {grown:.0f} MiB; {many_bombs(server, worker.pid, offer, megabyte)}"


def many_bombs(server, worker: int, offer: str, megabyte: bytes) -> str:
    neighbour = server.connect("/echo")
    times = []
    with RawClient(server.address) as attacker:
        attacker.open("/echo", offer)
        attacker.sock.setblocking(False)
        data = memoryview(frame(TEXT, megabyte, rsv=4) * 1000)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                data = data[attacker.sock.send(data) :]
            with contextlib.suppress(BlockingIOError):
                attacker.sock.recv(2**20)
            before = used(worker)
            neighbour.send("x")
            assert neighbour.recv() == "x"
            times.append(used(worker) - before)
    assert percentile(times) < USUAL
    assert max(times) < SLOWEST
    return f"neighbour 99 % {percentile(times) * 1000:.0f} ms, slowest {max(times) * 1000:.0f} ms"


@attack(
    "Slow-loris",
    "300 connections that send a header byte by byte",
    "nginx closes them after 10 s; pages and sockets of others are served meanwhile.",
)
def slow_loris(stack: Stack) -> str:
    with slow_clients(stack.port) as slow:
        neighbours = Neighbours(stack)
        began, slowest = time.monotonic(), 0.0
        while time.monotonic() - began < 11:
            slow.send_a_byte()
            asked = time.monotonic()
            assert get(stack.port, "/accounts/login/").status == 200
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.5)
        cost = neighbours.ask(1)
        assert cost.bearable, cost
        assert slow.closed() == COUNT
    return f"300 closed; slowest page {slowest * 1000:.0f} ms; {cost}"


@attack(
    "Brute force of the login",
    "45 passwords at once, with the token that the form needs; the same at the admin's login",
    "After 20 at once, an address has 20 attempts a minute in all; more get 429.",
)
def brute_force(stack: Stack) -> str:
    found = {}
    for path, address in (("/accounts/login/", "127.0.0.91"), ("/admin/login/", "127.0.0.92")):
        page = get(stack.port, path)
        token = page.headers["Set-Cookie"].partition("csrftoken=")[2].partition(";")[0]
        with contextlib.ExitStack() as connections:
            attempts = []
            for number in range(45):
                form = {"csrfmiddlewaretoken": token, "username": "root", "password": str(number)}
                body = urlencode(form).encode()
                headers = (
                    ("Cookie", f"csrftoken={token}"),
                    ("Content-Type", "application/x-www-form-urlencoded"),
                    ("Content-Length", str(len(body))),
                )
                attempt = connections.enter_context(Connection(stack.port, source=address))
                attempt.send(compose(path, headers, method="POST", body=body))
                attempts.append(attempt)
            statuses = [attempt.response("POST").status for attempt in attempts]
        assert set(statuses) == {200, 429}
        # One more, every three seconds.
        assert 20 <= statuses.count(200) <= 25, statuses
        found[path] = f"{statuses.count(200)} of {len(statuses)} tried at {path}"
    return "; ".join(found.values())
