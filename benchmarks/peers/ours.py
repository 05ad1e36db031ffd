"""Our worker: the Django view behind the project's full middleware."""

import sys

from harness.model import PUBLISHERS, Peer, gunicorn

PEER = Peer(
    name="ours",
    label="django-gevent-websocket",
    command=gunicorn("django_websocket.worker.WebSocketWorker"),
    has_sessions=True,
    publisher=(sys.executable, str(PUBLISHERS / "ours.py")),
    versions=("gunicorn", "gevent", "websockets", "Django"),
)
