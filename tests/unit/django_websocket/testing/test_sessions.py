import pytest
from django.contrib.auth.models import User
from django.db import transaction

from django_websocket import disconnect_user
from django_websocket.auth.listener import taps
from django_websocket.test import WebSocketClient
from django_websocket.testing.sessions import SessionEvents

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings):
    settings.WEBSOCKET_BROKER = "memory://"
    settings.WEBSOCKET_URLCONF = "support.site.websocket_urls"


@pytest.fixture
def socket():
    user = User.objects.create_user("ada")
    client = WebSocketClient()
    client.force_login(user)
    with client.connect("/private-echo/") as socket:
        socket.user = user
        yield socket


def test_an_event_is_obeyed_when_it_is_asked_for(socket):
    events = SessionEvents()
    disconnect_user(socket.user)
    socket._view.wait_until_idle(1, 1)
    assert not socket._view.websocket.closed
    events.obey()
    assert socket._view.websocket.closed
    events.close()


def test_an_event_of_an_open_block_waits_for_its_end(socket):
    with transaction.atomic():
        disconnect_user(socket.user)
        socket.send("here")
        assert socket.receive() == "here"
    assert socket.receive() is None


def test_at_the_end_nobody_takes_note():
    before = list(taps)
    first, second = SessionEvents(), SessionEvents()
    first.close()
    assert taps != before
    second.close()
    second.close()
    assert taps == before
