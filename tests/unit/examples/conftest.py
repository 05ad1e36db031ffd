import pytest

from django_websocket.test import WebSocketClient


@pytest.fixture
def sockets(settings, db):
    """A client whose sockets publish within this process."""
    settings.WEBSOCKET_BROKER = "memory://"
    settings.WEBSOCKET_PRESENCE_LINGER = 0
    return WebSocketClient()
