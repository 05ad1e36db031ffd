"""gevent-websocket's own worker, with the same view and middleware."""

from harness.model import Peer, gunicorn

PEER = Peer(
    name="stock",
    label="gevent-websocket",
    command=gunicorn("geventwebsocket.gunicorn.workers.GeventWebSocketWorker"),
    has_sessions=True,
    versions=("gevent-websocket",),
)
