"""Channels on uvicorn, with uvloop and httptools: its fastest set-up."""

from harness.model import Peer, python

PEER = Peer(
    name="channels-uvicorn",
    label="Channels on uvicorn",
    command=python(
        "-m uvicorn django_site.asgi:application --host 127.0.0.1 --port {port} "
        "--loop uvloop --http httptools --lifespan off --no-access-log --log-level warning"
    ),
    has_sessions=True,
    versions=("channels", "uvicorn", "uvloop"),
)
