"""A Redis of a test's own, on a socket in a folder of its own, that can hang and die."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis

from .server import wait_for


class Redis:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Redis":
        self._process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(self._socket), "--save", ""],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        wait_for(self._answers, 10, "Redis")
        return self

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return client.ping()
            except redis.RedisError:
                return False

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def connections(self) -> int:
        """How many clients are connected, this question's own not counted."""
        with redis.Redis.from_url(self.url) as client:
            return len(client.client_list()) - 1

    @contextlib.contextmanager
    def listen(self, channel: str) -> Iterator[Iterator[bytes]]:
        """What is published to a channel while the block runs."""
        with redis.Redis.from_url(self.url) as client, client.pubsub() as pubsub:
            pubsub.subscribe(channel)
            events = pubsub.listen()
            next(events)  # the subscription stands
            yield (event["data"] for event in events)
