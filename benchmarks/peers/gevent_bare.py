"""gevent's blocking recv and sendall without framing: what a greenlet that reads can reach."""

import sys

from harness.model import SERVERS, Peer

PEER = Peer(
    name="gevent-bare",
    label="gevent, no framing",
    command=(sys.executable, str(SERVERS / "gevent_bare.py"), "{port}"),
)
