"""A Redis of the test's own: Debian's redis-server, on a socket in a temporary folder."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from .ports import free_port
from .server import PATIENCE, wait_for


class Redis:
    """``url`` is where it is, as WEBSOCKET_BROKER wants it. Its data survives :meth:`kill`."""

    def __init__(
        self, folder: Path, *arguments: str, port: int = 0, program: str = "redis-server"
    ) -> None:
        self._folder = folder
        self._program = program
        self._arguments = arguments
        self._socket = folder / "redis.sock"
        self._hidden = folder / "hidden.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port
        self.url = f"unix://{self._socket}"
        #: The file with the certificate of who has signed the server's, where it has one.
        self.authority = ""
        #: Where it is while it is cut off.
        self.hidden_url = f"unix://{self._hidden}"

    def start(self) -> Redis:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *self._arguments,
                 "--port", str(self.port), "--unixsocket", self._socket],
                cwd=self._folder, stdout=log,
            )  # fmt: skip
        wait_for(self._answers, "Redis to start")
        return self

    def call(self, *command: str | int) -> Any:
        """Send one command past everyone else, also while cut off."""
        with self._client() as client:
            return client.execute_command(*command)

    def _client(self) -> redis.Redis:
        path = self._hidden if self._hidden.exists() else self._socket
        return redis.Redis(unix_socket_path=str(path), decode_responses=True)

    def connections(self) -> int:
        """How many clients are connected, this question's own not counted."""
        with self._client() as client:
            return len(client.client_list()) - 1

    def listeners(self) -> int:
        """How many of them subscribe to anything."""
        with self._client() as client:
            return len(client.client_list(_type="pubsub"))

    @contextlib.contextmanager
    def listen(self, channel: str) -> Iterator[Iterator[bytes]]:
        """What is published to a channel while the block runs."""
        with redis.Redis.from_url(self.url) as client, client.pubsub() as pubsub:
            pubsub.subscribe(channel)
            events = pubsub.listen()
            next(events)  # the subscription stands
            yield (event["data"] for event in events)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and the socket goes too."""
        self._end(signal.SIGTERM)

    def forget(self) -> None:
        """Lose all data, while it is down."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)

    def signal(self, number: signal.Signals) -> None:
        """With SIGSTOP connections stay, and nothing answers until SIGCONT."""
        if self._process is not None:
            self._process.send_signal(number)

    def cut_off(self) -> None:
        """Every connection breaks, and none can be made, while it keeps running."""
        self._socket.rename(self._hidden)
        for kind in ("pubsub", "normal"):
            self.call("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def mend(self) -> None:
        self._hidden.rename(self._socket)

    def _answers(self) -> bool:
        log = self._folder / "redis.log"
        assert self._process is None or self._process.poll() is None, log.read_text()
        try:
            return bool(self.call("PING"))
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        self._process.wait(PATIENCE)
        self._process = None
        for path in (self._socket, self._hidden):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


#: Each write is in the kernel before Redis answers, so killing Redis loses none. By default, it
#: delays a write while an fsync runs, by up to two seconds.
DURABLE = ("--save", "", "--appendonly", "yes", "--appendfsync", "no")


@contextlib.contextmanager
def redis_server(*arguments: str, port: int = 0, **options: str) -> Iterator[Redis]:
    """A running server, with these arguments of redis-server."""
    # Under /tmp: the path of a unix socket is at most 107 bytes long.
    folder = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
    server = Redis(folder, *(arguments or DURABLE), port=port, **options)
    try:
        yield server.start()
    finally:
        server.kill()
        shutil.rmtree(folder)


@contextlib.contextmanager
def redis_with_tls() -> Iterator[tuple[str, Redis]]:
    """The ``rediss://`` URL of a server, without the authority that has signed its certificate."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        authority, key, certificate = make_certificate(Path(folder))
        arguments = (
            *("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"),
            *("--tls-ca-cert-file", str(authority)),
            *("--tls-key-file", str(key), "--tls-cert-file", str(certificate)),
        )
        with redis_server(*DURABLE, *arguments) as server:
            server.authority = str(authority)
            yield f"rediss://127.0.0.1:{port}/0", server


def make_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """An authority's certificate, and the key and the certificate of a server on 127.0.0.1."""
    files = [folder / name for name in ("ca.pem", "server.key", "server.pem")]
    authority, key, certificate = files
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-noenc", "-days", "2")  # fmt: skip
    for command in (
        # Python 3.13 verifies strictly (RFC 5280): what signs needs a key usage that says so.
        (*new, "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign",
         "-keyout", folder / "ca.key", "-out", authority),
        (*new, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate,
         "-CA", authority, "-CAkey", folder / "ca.key"),
    ):  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    return authority, key, certificate


@contextlib.contextmanager
def redis_cluster(*, replica: bool = False) -> Iterator[tuple[str, Redis, Redis]]:
    """The URL of a cluster and its two nodes, of which each has half of the slots.

    With ``replica``, a third node replicates the first and is returned in the second's place.
    """
    with contextlib.ExitStack() as stack:

        def start() -> Redis:
            ports = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            return stack.enter_context(redis_server(*DURABLE, *ports, port=free_port()))

        one, other = start(), start()
        for node, slots in ((one, (0, 8191)), (other, (8192, 16383))):
            node.call("CLUSTER", "ADDSLOTSRANGE", *slots)
        _meet(one, other)
        for node in (one, other):
            wait_for(lambda node=node: _complete(node), "the cluster to form")
        if replica:
            third = start()
            _meet(one, third)
            primary = one.call("CLUSTER", "MYID")
            wait_for(lambda: primary in third.call("CLUSTER", "NODES"), "the nodes to meet")
            third.call("CLUSTER", "REPLICATE", primary)
            wait_for(lambda: third.call("INFO").get("master_link_status") == "up", "the replica")
        yield f"redis+cluster://127.0.0.1:{other.port}", one, third if replica else other


def _meet(one: Redis, other: Redis) -> None:
    bus = re.search(r"@(\d+)", other.call("CLUSTER", "NODES"))[1]
    one.call("CLUSTER", "MEET", "127.0.0.1", other.port, bus)


def _complete(node: Redis) -> bool:
    info = node.call("CLUSTER", "INFO")
    return "cluster_state:ok" in info and "cluster_size:2" in info


@contextlib.contextmanager
def redis_sentinel(down_after: int = 500) -> Iterator[tuple[str, Redis, Redis]]:
    """The URL of a sentinel, the master that it names, and a replica of it.

    A master that does not answer for ``down_after`` milliseconds is replaced.
    """
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(redis_server(port=free_port()))
        replica = stack.enter_context(
            redis_server("--replicaof", "127.0.0.1", str(master.port), port=free_port())
        )
        wait_for(lambda: replica.call("INFO").get("master_link_status") == "up", "the replica")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        (folder / "sentinel.conf").write_text(
            f"sentinel monitor chat 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds chat {down_after}\n"
            "sentinel failover-timeout chat 3000\n"
        )
        sentinel = stack.enter_context(
            redis_server(str(folder / "sentinel.conf"), "--sentinel", port=free_port())
        )
        wait_for(lambda: sentinel.call("INFO")["master0"]["slaves"] == 1, "the sentinel to look")
        yield f"redis+sentinel://127.0.0.1:{sentinel.port}/chat", master, replica
