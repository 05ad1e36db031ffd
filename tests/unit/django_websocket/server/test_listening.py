import contextlib
import signal
import socket

import psutil
import pytest
from websocket import create_connection

from support.ports import free_port
from support.server import CLIENT, OUR_WORKER, PATIENCE, serve, wait_for

HOOK = "from django_websocket.server.listening import refuse_while_frozen as when_ready"

REFUSES = "refusing connections"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["tcp", "unix"])
def test_a_frozen_worker_gets_no_new_clients(tmp_path, family):
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(HOOK)
    arguments = ("--config", str(config), "--timeout", "60")
    app, log = "support.raw_app:application", tmp_path / "log"
    path = tmp_path / "gunicorn.sock"
    address = str(path) if family == socket.AF_UNIX else ("127.0.0.1", free_port())
    with (
        serve(app, OUR_WORKER, log, {}, *arguments, family=family, address=address) as server,
        contextlib.ExitStack() as clients,
    ):
        (worker,) = wait_for(psutil.Process(server.pid).children, "a worker")
        connected = echo(clients, connect(family, server.address))
        worker.suspend()
        server.wait_for_log(REFUSES)
        assert connect(family, server.address) is None
        worker.resume()
        echo(clients, wait_for(lambda: connect(family, server.address), "it to accept"))
        connected.send("still open")
        assert connected.recv() == "still open"
        assert "Traceback" not in server.log
        worker.suspend()
        wait_for(lambda: server.log.count(REFUSES) == 2, "the master to notice")
        worker.resume()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
    assert not list(tmp_path.glob("*.frozen"))


def test_the_worker_after_a_frozen_one_leaves_the_socket_to_the_master(tmp_path):
    """Both would put it back, if the worker went on with what the patched master has begun."""
    config, address = tmp_path / "gunicorn.conf.py", str(tmp_path / "gunicorn.sock")
    config.write_text(
        f"from gevent import monkey\n{HOOK}\nmonkey.patch_all()\npreload_app = True\n"
    )
    arguments = ("--config", str(config), "--timeout", "60")
    app, family, log = "support.raw_app:application", socket.AF_UNIX, tmp_path / "log"
    with (
        serve(app, OUR_WORKER, log, {}, *arguments, family=family, address=address) as server,
        contextlib.ExitStack() as clients,
    ):
        echo(clients, connect(family, address))
        (worker,) = psutil.Process(server.pid).children()
        worker.suspend()
        server.wait_for_log(REFUSES)
        worker.kill()
        echo(clients, wait_for(lambda: connect(family, address), "the next worker"))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
    assert server.log.count("accepting connections again") == 1
    assert "Traceback" not in server.log


def connect(family, address):
    """None where nobody listens."""
    client = socket.socket(family)
    try:
        client.connect(address)
    except ConnectionRefusedError:
        client.close()
        return None
    return client


def echo(clients, client):
    connection = create_connection("ws://localhost/echo", socket=client, **CLIENT)
    clients.callback(connection.shutdown)
    connection.send("served")
    assert connection.recv() == "served"
    return connection
