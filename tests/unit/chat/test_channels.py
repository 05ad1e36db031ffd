import json

import pytest
from django.contrib.auth.models import AnonymousUser

from chat.channels import ANNOUNCEMENTS, channel, publish_posted
from chat.models import Announcement, Message
from django_websocket.pubsub import subscribe
from django_websocket.test import WebSocketClient
from support.server import PATIENCE

pytestmark = pytest.mark.django_db


def test_a_message_goes_to_its_room():
    message = Message.objects.post(
        "lobby", user=AnonymousUser(), name="Ada", colour="#1a2b3c", text="Hello"
    )
    with subscribe(channel("lobby"), channel("kitchen")) as messages:
        publish_posted(message)
        heard = messages.receive(PATIENCE)
    assert (heard.channel, heard.data) == ("chat.lobby", message.as_dict())


def test_no_room_s_channel_is_that_of_the_announcements():
    assert channel("announcements") != ANNOUNCEMENTS


def test_who_connects_gets_the_announcement_and_then_each_change(
    django_capture_on_commit_callbacks,
):
    def announce(**values):
        with django_capture_on_commit_callbacks(execute=True):
            Announcement.objects.update_or_create(pk=1, defaults=values)
            Announcement.objects.announce()

    announce(text="Coffee is ready")
    with WebSocketClient().connect("/chat/lobby/") as socket:
        assert json.loads(socket.receive()) == {"type": "announcement", "text": "Coffee is ready"}
        assert socket.receive_json()["type"] == "people"
        announce(text="Coffee is out")
        assert socket.receive_json()["text"] == "Coffee is out"
        announce(active=False)
        assert socket.receive_json()["text"] == ""


def test_what_is_rolled_back_is_not_announced(django_capture_on_commit_callbacks):
    with (
        subscribe(ANNOUNCEMENTS) as messages,
        django_capture_on_commit_callbacks(execute=False),
    ):
        Announcement.objects.create(text="Never")
        Announcement.objects.announce()
        with pytest.raises(TimeoutError):
            messages.receive(0.1)
