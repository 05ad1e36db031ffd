"""What goes wrong with a running stack: each function waits until it is whole, and does it."""

import os
import signal

import psutil
import redis

from support.stack import Stack, wait_for


def kill_websocket_gunicorns(stack: Stack) -> None:
    stack.wait_until_whole()
    victims = [
        process
        for process in stack.processes()
        if "deploy/gunicorn/websocket.py" in " ".join(process.cmdline())
    ]
    assert victims
    for process in victims:
        process.kill()
    psutil.wait_procs(victims, 10)


def kill_one_worker(stack: Stack) -> None:
    """The process that holds the sockets of one WebSocket gunicorn."""
    stack.wait_until_whole()
    master = psutil.Process(stack.pid("websocket:websocket-1"))
    for worker in wait_for(master.children, 60):
        worker.kill()


def kill_redis(stack: Stack) -> None:
    """Supervisor starts it again, with its data."""
    stack.wait_until_whole()
    with redis.Redis.from_url(broker_of(stack)) as client:
        os.kill(client.info("server")["process_id"], signal.SIGKILL)


def reload_nginx(stack: Stack) -> None:
    stack.wait_until_whole()
    os.kill(stack.pid("nginx"), signal.SIGHUP)


def broker_of(stack: Stack) -> str:
    return f"unix://{stack.state}/run/redis.sock"
