"""Every server that is measured, ours first; a module each."""

from . import (
    channels_daphne,
    channels_uvicorn,
    gevent_bare,
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
        channels_daphne,
        node_ws,
        gevent_bare,
        picows_uvloop,
    )
]
