"""The faults by name, in the order of the table: FAULTS, and MORE, which take longer."""

import os
import signal
import time
from contextlib import ExitStack, suppress

import psutil
import redis

from support.outages import broker_of, kill_one_worker, kill_redis, reload_nginx
from support.raw_http import HANDSHAKE, Connection, compose
from support.slow_clients import COUNT, slow_clients
from support.stack import Stack, wait_for
from support.storm import fared_well, report, storm

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
    _freeze(psutil.Process(_info(stack)["process_id"]))


def freeze_master(stack: Stack) -> None:
    _freeze(psutil.Process(stack.pid("websocket:websocket-1")))


def freeze_page_worker(stack: Stack) -> None:
    (worker,) = psutil.Process(stack.pid("http:http-1")).children()
    _freeze(worker)


def freeze_nginx_worker(stack: Stack) -> None:
    _freeze(_nginx_worker(stack))


def kill_nginx_worker(stack: Stack) -> None:
    _nginx_worker(stack).kill()


def _nginx_worker(stack: Stack) -> psutil.Process:
    """The one with the most connections."""
    masters = psutil.Process(stack.pid("nginx")).children()
    workers = [worker for master in masters for worker in master.children()]
    return max(workers, key=lambda worker: len(worker.net_connections()))


def _freeze(process: psutil.Process) -> None:
    process.suspend()
    time.sleep(5)
    process.resume()


def half_open(stack: Stack) -> str:
    """A hundred clients that no longer answer."""
    with ExitStack() as sockets:
        clients = [sockets.enter_context(Connection(stack.port, timeout=90)) for _ in range(100)]
        for client in clients:
            client.send(compose("/probe/feed/", HANDSHAKE))
            assert client.response().status == 101
        began = time.monotonic()
        for client in clients:
            with suppress(EOFError, ConnectionError):
                while True:
                    client.frame()
    return f"the last of 100 half-open sockets was closed after {time.monotonic() - began:.0f} s"


def slow_loris(stack: Stack) -> str:
    """300 connections that send a header byte by byte, for longer than nginx lets them."""
    with slow_clients(stack.port) as slow:
        end = time.monotonic() + 12
        while time.monotonic() < end:
            slow.send_a_byte()
            time.sleep(0.5)
        closed = slow.closed()
    return f"nginx closed {closed} of {COUNT} slow connections"


def storm_of_sockets(stack: Stack) -> str:
    visitors = storm(stack.port, 5000)
    well = sum(map(fared_well, visitors))
    return f"{well} of 5000 had their first message within 15 s; {report(visitors)}"


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

MORE: dict[str, Fault] = {
    "SIGSTOP of a master of sockets for 5 s": freeze_master,
    "SIGSTOP of a worker of pages for 5 s": freeze_page_worker,
    "SIGSTOP of a worker of nginx for 5 s": freeze_nginx_worker,
    "SIGKILL of a worker of nginx": kill_nginx_worker,
    "100 half-open clients": half_open,
    "slow-loris": slow_loris,
    "5,000 sockets at once": storm_of_sockets,
}
