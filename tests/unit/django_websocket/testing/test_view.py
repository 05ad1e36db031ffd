import re

import pytest
from django.contrib.auth.models import User

from django_websocket.test import WebSocketClient
from support.site.waiting import released


@pytest.fixture
def connect(settings, db):
    settings.WEBSOCKET_BROKER = "memory://"
    settings.WEBSOCKET_URLCONF = "support.site.websocket_urls"
    client = WebSocketClient()
    client.force_login(User.objects.create_user("ada"))
    return client.connect


def test_it_is_idle_while_it_waits_for_the_client(connect):
    with connect("/echo/") as socket:
        assert socket._view.wait_until_idle(0, 60)


@pytest.mark.parametrize(
    ("path", "place"),
    [("/reads-a-channel/", "reads_a_channel"), ("/selects/", "selects")],
)
def test_it_is_idle_while_it_waits_for_something_it_may_be_sent(connect, path, place):
    with connect(path) as socket:
        assert socket._view.wait_until_idle(5, 60)
        assert re.search(rf"waiting\.py:\d+ {place}", socket._view.place)


def test_what_it_waits_for_besides_takes_longer_to_be_seen(connect):
    released.clear()
    with connect("/waits-outside/") as socket:
        assert not socket._view.wait_until_idle(0.05, 60)
        assert socket._view.wait_until_idle(60, 0.1)
        released.set()


def test_an_ended_one_is_idle(connect):
    socket = connect("/closes/")
    assert socket.receive() is None
    assert not socket._view.is_alive
    assert socket._view.wait_until_idle(0, 60)
