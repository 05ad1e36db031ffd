"""Node's ws: no framework, no session."""

from harness.model import SERVERS, Peer

PEER = Peer(
    name="node-ws",
    label="Node ws",
    command=("node", str(SERVERS / "node_ws.mjs"), "{port}"),
)
