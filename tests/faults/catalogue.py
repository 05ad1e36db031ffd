"""The faults by name, in the order of the table."""

import os
import signal
import time
from contextlib import suppress

import psutil
import redis

from support.outages import broker_of, kill_one_worker, kill_redis, reload_nginx
from support.stack import Stack, wait_for

from .scene import Fault


def kill_master(stack: Stack) -> None:
    os.kill(stack.pid("websocket:websocket-1"), signal.SIGKILL)


def kill_page_worker(stack: Stack) -> None:
    for worker in psutil.Process(stack.pid("http:http-1")).children():
        worker.kill()


def kill_nginx(stack: Stack) -> None:
    for master in psutil.Process(stack.pid("nginx")).children():
        master.kill()


def freeze_worker(stack: Stack) -> None:
    """gunicorn ends it after its timeout."""
    (worker,) = psutil.Process(stack.pid("websocket:websocket-1")).children()
    worker.suspend()
    wait_for(lambda: not worker.is_running(), "the master to end the worker")


def freeze_redis(stack: Stack) -> None:
    process = psutil.Process(_info(stack)["process_id"])
    process.suspend()
    time.sleep(5)
    process.resume()


def flush_redis(stack: Stack) -> None:
    with redis.Redis.from_url(broker_of(stack)) as client:
        client.flushall()


def kill_subscribers(stack: Stack) -> None:
    with redis.Redis.from_url(broker_of(stack)) as client, suppress(redis.ConnectionError):
        client.client_kill_filter(_type="pubsub")


def restart_all(stack: Stack) -> None:
    """``make restart``"""
    answer = stack.do("restart", timeout=300)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def nothing(stack: Stack) -> None:
    """To compare with."""


def _info(stack: Stack) -> dict:
    with redis.Redis.from_url(broker_of(stack)) as client:
        return client.info("server")


FAULTS: dict[str, Fault] = {
    "nothing": nothing,
    "rolling restart of all gunicorns": restart_all,
    "reload of nginx": reload_nginx,
    "SIGKILL of a worker of sockets": kill_one_worker,
    "SIGKILL of a master of sockets": kill_master,
    "SIGSTOP of a worker of sockets": freeze_worker,
    "SIGKILL of a worker of pages": kill_page_worker,
    "SIGKILL of nginx's master": kill_nginx,
    "SIGKILL of Redis": kill_redis,
    "Redis frozen for 5 s": freeze_redis,
    "FLUSHALL": flush_redis,
    "CLIENT KILL TYPE pubsub": kill_subscribers,
}
