"""Our worker: the Django view behind the project's full middleware."""

from harness.model import Peer, gunicorn

PEER = Peer(
    name="ours",
    label="django-gevent-websocket",
    command=gunicorn("django_websocket.worker.WebSocketWorker"),
    has_sessions=True,
    versions=("gunicorn", "gevent", "websockets", "Django"),
)
