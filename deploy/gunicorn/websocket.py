"""gunicorn for sockets: one greenlet per connection, thousands in one process.

One process per instance, which uses one core. supervisor starts the instances
(deploy/supervisor/programs/), so that one can restart while the other serves.
"""

import os
import runpy
from pathlib import Path
from typing import Any

import gevent
from gevent import monkey

common = runpy.run_path(str(Path(__file__).with_name("common.py")))
default, pre_fork = common["default"], common["pre_fork"]
logconfig_dict = common["logconfig_dict"]


def when_ready(server: Any) -> None:
    """gunicorn calls this in the master."""
    from django_websocket.server.listening import refuse_while_frozen

    refuse_while_frozen(server)


wsgi_app = os.environ.get("APP_WSGI_WEBSOCKET") or default("APP_WSGI_WEBSOCKET")
pythonpath = os.environ.get("APP_PATH") or str(
    Path(__file__).resolve().parents[2] / default("APP_PATH")
)

# "{instance}" is 1, 2, …: "10.0.0.5:82{instance:02}" on a host. A relative unix path is below the
# state folder, in which supervisor starts gunicorn.
bind = os.environ.get("WEBSOCKET_BIND", "unix:run/websocket-{instance}.sock").format(
    instance=int(os.environ.get("INSTANCE", "1"))
)

# The project is loaded before gunicorn listens, so nginx asks the other instance until this one can
# answer, and a killed worker is replaced at once. SIGHUP loads no new code.
# gevent has to patch the standard library before Django is loaded.
preload_app = common["preload"]
monkey.patch_all()

workers = 1
worker_class = os.environ.get("WEBSOCKET_WORKER_CLASS", "django_websocket.worker.WebSocketWorker")

# How many sockets an instance holds. nginx's worker_connections and every limit on open files
# follow from it and from the number of instances (deploy/local/sizes.py). gunicorn's default is
# 1000; the next client would wait without an answer.
worker_connections = int(os.environ.get("WEBSOCKET_CONNECTIONS", "10000"))

# How many connections may wait to be accepted: as many as the instance has room for. On a unix
# socket the next one is refused at once, and nginx answers 502. gunicorn's default is 2048; the
# kernel's own limit is net.core.somaxconn.
backlog = worker_connections

# How long one greenlet may block the worker before the master replaces it. After four seconds,
# refuse_while_frozen() refuses new clients, so that none waits for it.
timeout = 12
# How long sockets may take to close after SIGTERM. supervisor waits ten seconds longer.
graceful_timeout = 30

# supervisor replaces the control socket, whose default path would be the same for all instances.
control_socket_disable = True

# One line per socket, when it closes: nginx cannot know its messages and its close code.
accesslog = "-"
access_log_format = (
    '%(h)s %(t)s "%(r)s" %(s)s seconds=%({websocket.duration}e)s close=%({websocket.close_code}e)s'
    " received=%({websocket.messages_received}e)s sent=%({websocket.messages_sent}e)s"
    " request=%({x-request-id}i)s"
)
errorlog = "-"

# While this file exists, the site is closed for maintenance: nginx refuses new clients
# (deploy/nginx/stack/snippets/maintenance.conf), and open sockets close.
maintenance_file = Path(os.environ.get("MAINTENANCE_FILE", "maintenance"))


def post_worker_init(worker: Any) -> None:
    """Close the sockets when the site is closed. Clients try again until it is open."""

    def follow(is_closed: bool) -> None:
        while True:
            gevent.sleep(1)
            was_closed, is_closed = is_closed, maintenance_file.exists()
            if is_closed and not was_closed:
                gevent.sleep(1)  # for handshakes that nginx has passed on just before
                worker.close_websockets(1013, "closed for maintenance")

    if hasattr(worker, "close_websockets"):  # other classes of workers do not have it
        gevent.spawn(follow, maintenance_file.exists())
