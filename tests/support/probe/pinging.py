from .settings import *  # noqa: F403

WEBSOCKET_PING_INTERVAL = 0.3
