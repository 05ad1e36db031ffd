"""nginx with the module nchan, written in C, which keeps its channels in Redis."""

import sys

from harness.model import PUBLISHERS, SERVERS, Peer

PEER = Peer(
    name="nchan",
    label="nchan",
    command=(sys.executable, str(SERVERS / "nchan.py"), "{port}", "{processes}"),
    echoes=False,
    publisher=(sys.executable, str(PUBLISHERS / "nchan.py"), "{port}"),
)
