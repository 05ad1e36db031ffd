"""A gunicorn dies while people chat: every page loads, and the chat goes on."""

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
import websocket

from support.raw_http import get
from support.stack import PATIENCE, wait_for
from support.visitors import saying

CLIENTS = 10
ROOM = "/chat/kill/"


class Chatter(threading.Thread):
    """A client that talks all the time, and comes back at once when its socket is cut.

    ``failed`` lists what went wrong when it (re)connected, ``heard`` is what it got back of its own
    words, ``cuts`` how often its socket ended.
    """

    def __init__(self, stack, number: int):
        super().__init__()
        self._stack = stack
        self._over = threading.Event()
        self.name = f"Visitor {number}"
        self.heard = 0
        self.cuts = 0
        self.failed: list[Exception] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                client = self._stack.connect(ROOM)
            except (OSError, websocket.WebSocketException) as error:
                self.failed.append(error)
                return
            try:
                self._talk(client)
            except (OSError, websocket.WebSocketException):
                self.cuts += 1
            finally:
                client.shutdown()

    def _talk(self, client: websocket.WebSocket) -> None:
        while not self._over.is_set():
            client.send(saying(f"{time.monotonic()}", name=self.name))
            while json.loads(self._receive(client)).get("type") != "ws.reply":
                pass
            self.heard += 1
            self._over.wait(0.1)
        client.close()

    @staticmethod
    def _receive(client: websocket.WebSocket) -> str:
        if message := client.recv():
            return message
        raise websocket.WebSocketConnectionClosedException("closed with a close frame")

    def end(self) -> None:
        self._over.set()
        self.join()


class Reader(threading.Thread):
    """Loads a page again and again; ``statuses`` is what it got."""

    def __init__(self, stack):
        super().__init__()
        self._stack = stack
        self._over = threading.Event()
        self.statuses: list[int | None] = []

    def run(self) -> None:
        while not self._over.is_set():
            response = get(self._stack.port, "/probe/?seconds=0.02")
            self.statuses.append(response.status if response else None)

    def end(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture
def chatters(stack):
    chatters = [Chatter(stack, number) for number in range(CLIENTS)]
    for chatter in chatters:
        chatter.start()
    wait_for(lambda: all(chatter.heard for chatter in chatters))
    yield chatters
    for chatter in chatters:
        chatter.end()


@pytest.fixture
def readers(stack):
    readers = [Reader(stack) for _ in range(2)]
    for reader in readers:
        reader.start()
    yield readers
    for reader in readers:
        reader.end()


def worker_of(master: int) -> int | None:
    """The worker process of a gunicorn."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return int(children[0]) if children else None


@pytest.fixture(autouse=True)
def whole_stack(stack):
    stack.wait_until_whole()


@pytest.mark.parametrize("victim", ["master", "worker"])
@pytest.mark.parametrize("program", ["http:http-1", "websocket:websocket-2"])
def test_a_killed_gunicorn_comes_back_and_nobody_notices(stack, chatters, readers, program, victim):
    master = stack.pid(program)
    worker = worker_of(master)
    os.kill(master if victim == "master" else worker, signal.SIGKILL)

    heard = [chatter.heard for chatter in chatters]
    wait_for(lambda: all(c.heard > before for c, before in zip(chatters, heard, strict=True)))
    pages = [len(reader.statuses) for reader in readers]
    wait_for(lambda: any(len(r.statuses) > n + 5 for r, n in zip(readers, pages, strict=True)))

    if victim == "master":
        wait_for(lambda: stack.pid(program) not in (None, master))
    wait_for(lambda: worker_of(stack.pid(program)) not in (None, worker))
    answers_again(stack, program)

    assert [chatter.failed for chatter in chatters] == [[]] * CLIENTS
    for reader in readers:
        assert set(reader.statuses) == {200}
    if program.startswith("websocket"):
        assert 0 < sum(chatter.cuts for chatter in chatters) < CLIENTS


def test_a_killed_nginx_comes_back(stack):
    """Its workers outlive it and hold the port; supervisor could not start another."""
    program = stack.pid("nginx")
    (master,) = psutil.Process(program).children()
    workers = master.children()
    master.kill()
    assert not psutil.wait_procs(workers, PATIENCE)[1]
    wait_for(lambda: stack.pid("nginx") not in (None, program))

    def serves() -> bool:
        with contextlib.suppress(OSError):
            return get(stack.port, "/probe/").status == 200
        return False

    wait_for(serves, "nginx to serve again")


def answers_again(stack, program: str) -> None:
    """nginx sends the killed instance requests again."""
    instance = f"unix:run/{program.partition(':')[2]}.sock"
    start = len(stack.log("nginx"))

    def used() -> bool:
        if program.startswith("websocket"):
            stack.connect("/probe/").close()
        else:
            get(stack.port, "/probe/")
        return f'attempts="{instance}"' in stack.log("nginx")[start:]

    wait_for(used)
