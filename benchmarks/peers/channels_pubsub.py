"""Channels on uvicorn once more, with the channel layer that uses Redis' publish/subscribe."""

from harness.model import Peer

from .channels_uvicorn import COMMAND, PUBLISHER

_WITH_LAYER = ("env", "CHANNEL_LAYER=pubsub")

PEER = Peer(
    name="channels-pubsub",
    label="Channels, pub/sub layer",
    command=(*_WITH_LAYER, *COMMAND),
    echoes=False,
    publisher=(*_WITH_LAYER, *PUBLISHER),
)
