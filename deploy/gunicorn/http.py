"""gunicorn for pages: threads, because an ordinary Django view blocks.

One process per instance. supervisor starts the instances (deploy/supervisor/programs/), so that one
can restart while the other serves.
"""

import os
import runpy
from pathlib import Path

common = runpy.run_path(str(Path(__file__).with_name("common.py")))
default, pre_fork = common["default"], common["pre_fork"]
logconfig_dict = common["logconfig_dict"]

wsgi_app = os.environ.get("APP_WSGI_HTTP") or default("APP_WSGI_HTTP")
pythonpath = os.environ.get("APP_PATH") or str(
    Path(__file__).resolve().parents[2] / default("APP_PATH")
)

# "{instance}" is 1, 2, …: "10.0.0.5:81{instance:02}" on a host. A relative unix path is below the
# state folder, in which supervisor starts gunicorn.
bind = os.environ.get("HTTP_BIND", "unix:run/http-{instance}.sock").format(
    instance=int(os.environ.get("INSTANCE", "1"))
)

# The project is loaded before gunicorn listens, so nginx asks the other instance until this one can
# answer, and a killed worker is replaced at once. SIGHUP loads no new code.
preload_app = common["preload"]

workers = 1
worker_class = "gthread"
threads = int(os.environ.get("HTTP_THREADS", "16"))

# How many connections may wait to be accepted. On a unix socket the next one is refused at once,
# and nginx answers 502. gunicorn's default is 2048; the kernel's own limit is net.core.somaxconn.
backlog = 4096

# How long a worker may go without a heartbeat before the master replaces it.
timeout = 30
# How long running requests may take after SIGTERM. supervisor waits ten seconds longer.
graceful_timeout = 30

# As much as nginx passes on (large_client_header_buffers). gunicorn's default for a line is 4094.
limit_request_line = 8190
limit_request_field_size = 8190

# supervisor replaces the control socket, whose default path would be the same for all instances.
control_socket_disable = True

# nginx writes the access log. With a logconfig_dict, gunicorn would write one as well.
if logconfig_dict:
    logconfig_dict["loggers"]["gunicorn.access"]["level"] = "WARNING"
errorlog = "-"
