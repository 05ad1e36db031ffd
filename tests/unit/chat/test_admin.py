import pytest
from django.contrib.auth.models import AnonymousUser

from chat.models import Message

pytestmark = pytest.mark.usefixtures("plain_static_files")


@pytest.fixture
def message(db):
    return Message.objects.post(
        "lobby", user=AnonymousUser(), name="Ada", colour="#1a2b3c", text="Hello there"
    )


def test_finds_messages(admin_client, message):
    page = admin_client.get("/admin/chat/message/", {"q": "Hello"}).content.decode()
    assert "Hello there" in page
    page = admin_client.get("/admin/chat/message/", {"q": "Goodbye"}).content.decode()
    assert "Hello there" not in page


def test_counts_a_rooms_messages(admin_client, message):
    page = admin_client.get("/admin/chat/room/").content.decode()
    assert '<td class="field-message_count">1</td>' in page


def test_deletes_a_message(admin_client, message):
    admin_client.post(f"/admin/chat/message/{message.pk}/delete/", {"post": "yes"})
    assert not Message.objects.exists()
