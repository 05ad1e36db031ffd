"""Channels on daphne, the server that its documentation starts with."""

from harness.model import Peer, python

PEER = Peer(
    name="channels-daphne",
    label="Channels on daphne",
    command=python(
        "-m daphne django_site.asgi:application --bind 127.0.0.1 --port {port} --verbosity 0"
    ),
    has_sessions=True,
    versions=("channels", "daphne", "autobahn"),
)
