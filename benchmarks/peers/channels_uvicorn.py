"""Channels on uvicorn, with uvloop and httptools: its fastest set-up."""

import sys

from harness.model import PUBLISHERS, Peer, python

COMMAND = python(
    "-m uvicorn django_site.asgi:application --host 127.0.0.1 --port {port} "
    "--workers {processes} "
    "--loop uvloop --http httptools --lifespan off --no-access-log --log-level warning"
)
PUBLISHER = (sys.executable, str(PUBLISHERS / "channels_layer.py"))

PEER = Peer(
    name="channels-uvicorn",
    label="Channels on uvicorn",
    command=COMMAND,
    has_sessions=True,
    publisher=PUBLISHER,
    versions=("channels", "channels-redis", "uvicorn", "uvloop"),
)
