"""Every server that is measured, ours first; one module for each."""

from . import (
    channels_daphne,
    channels_pubsub,
    channels_uvicorn,
    gevent_bare,
    nchan,
    node_redis,
    node_ws,
    ours,
    picows_uvloop,
    stock,
)

PEERS = [
    module.PEER
    for module in (
        ours,
        stock,
        channels_uvicorn,
        channels_pubsub,
        channels_daphne,
        node_ws,
        node_redis,
        nchan,
        gevent_bare,
        picows_uvloop,
    )
]
