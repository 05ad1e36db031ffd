import pytest

from django_websocket.test import WebSocketClient


@pytest.fixture(autouse=True)
def views(settings):
    settings.WEBSOCKET_URLCONF = "support.events.urls"
    settings.WEBSOCKET_BROKER = "memory://"


@pytest.fixture
def client():
    return WebSocketClient(raise_request_exception=False)


@pytest.fixture
def room(client, db):
    with client.connect("/room/lobby/") as socket:
        yield socket
