"""Node's ws and its Redis client: no framework, no session, no history."""

from harness.model import PUBLISHERS, SERVERS, Peer

PEER = Peer(
    name="node-redis",
    label="Node ws with Redis",
    command=("node", str(SERVERS / "node_redis.mjs"), "{port}", "{processes}"),
    echoes=False,
    publisher=("node", str(PUBLISHERS / "node_redis.mjs")),
)
