"""picows on uvloop, compiled and without a framework: the upper reference."""

import sys

from harness.model import SERVERS, Peer

PEER = Peer(
    name="picows",
    label="picows on uvloop",
    command=(sys.executable, str(SERVERS / "picows_uvloop.py"), "{port}"),
    versions=("picows", "uvloop"),
)
