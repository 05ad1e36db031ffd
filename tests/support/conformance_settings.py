"""The project, set up for Autobahn|Testsuite: messages of 16 MiB, and compression for all sizes."""

from project.settings import *  # noqa: F403

WEBSOCKET_MAX_MESSAGE_SIZE = WEBSOCKET_RECEIVE_BUFFER_SIZE = 16 * 1024 * 1024
WEBSOCKET_SEND_BUFFER_SIZE = 32 * 1024 * 1024
WEBSOCKET_COMPRESSION_THRESHOLD = 0
