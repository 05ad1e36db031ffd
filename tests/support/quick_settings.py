"""The project, in one process, with a short ping interval: half-open connections show soon."""

from project.settings import *  # noqa: F403

DEBUG = True
WEBSOCKET_BROKER = "memory://"
WEBSOCKET_PING_INTERVAL = 1.0
WEBSOCKET_PING_TIMEOUT = 2.0
