"""What goes wrong with a running stack: each function waits until it is whole, and does it."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import redis

from .stack import Stack, wait_for


def kill_websocket_gunicorns(stack: Stack) -> None:
    kill_gunicorns(stack, "websocket")


def kill_gunicorns(stack: Stack, kind: str) -> None:
    """Masters and workers of the kind, "http" or "websocket"."""
    stack.wait_until_whole()
    victims = [
        process
        for process in stack.processes()
        if f"deploy/gunicorn/{kind}.py" in " ".join(process.cmdline())
    ]
    assert victims
    for process in victims:
        process.kill()
    psutil.wait_procs(victims, 10)


def kill_one_worker(stack: Stack, instance: int = 1) -> None:
    """The process that holds the sockets of one WebSocket gunicorn."""
    stack.wait_until_whole()
    master = psutil.Process(stack.pid(f"websocket:websocket-{instance}"))
    for worker in wait_for(master.children):
        worker.kill()


def kill_redis(stack: Stack) -> None:
    """Supervisor starts it again, with its data."""
    stack.wait_until_whole()
    with redis.Redis.from_url(broker_of(stack)) as client:
        os.kill(client.info("server")["process_id"], signal.SIGKILL)


@contextlib.contextmanager
def redis_cut_off(stack: Stack) -> Iterator[None]:
    """Nobody reaches Redis, and every connection to it has broken; but it runs."""
    stack.wait_until_whole()
    path = Path(stack.state) / "run" / "redis.sock"
    hidden = path.with_name("hidden.sock")
    path.rename(hidden)
    try:
        with redis.Redis(unix_socket_path=str(hidden)) as client:
            for kind in ("pubsub", "normal"):
                client.client_kill_filter(_type=kind, skipme=True)
        yield
    finally:
        hidden.rename(path)


def reload_nginx(stack: Stack) -> None:
    stack.wait_until_whole()
    os.kill(stack.pid("nginx"), signal.SIGHUP)


def broker_of(stack: Stack) -> str:
    return f"unix://{stack.state}/run/redis.sock"
