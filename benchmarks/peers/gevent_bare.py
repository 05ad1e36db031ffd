"""gevent's blocking recv and sendall without framing: the most that greenlets can reach."""

import sys

from harness.model import SERVERS, Peer

PEER = Peer(
    name="gevent-bare",
    label="gevent, no framing",
    command=(sys.executable, str(SERVERS / "gevent_bare.py"), "{port}"),
)
