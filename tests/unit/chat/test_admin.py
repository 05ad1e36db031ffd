import pytest
from django.contrib.auth.models import AnonymousUser

from chat.channels import ANNOUNCEMENTS
from chat.models import Announcement, Message
from django_websocket.pubsub import subscribe

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


@pytest.fixture
def heard(django_capture_on_commit_callbacks):
    """What open windows are told by what is done, in a transaction as outside of tests."""

    def heard(act):
        with subscribe(ANNOUNCEMENTS) as messages:
            with django_capture_on_commit_callbacks(execute=True):
                assert act().status_code == 302
            return messages.receive(1).data

    return heard


class TestAnnouncements:
    url = "/admin/chat/announcement/"

    def test_each_change_reaches_open_windows(self, admin_client, heard):
        def post(path, **data):
            return heard(lambda: admin_client.post(self.url + path, data))

        assert post("add/", text="Coffee", active="on") == "Coffee"
        number = Announcement.objects.get().pk
        assert post(f"{number}/change/", text="Tea", active="on") == "Tea"
        assert post(f"{number}/change/", text="Tea") == ""

    def test_unticked_in_the_list(self, admin_client, heard):
        announcements = [Announcement.objects.create(text=text) for text in ("one", "two")]
        rows = {"form-0-id": announcements[1].pk, "form-1-id": announcements[0].pk}
        data = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2, "form-1-active": "on", **rows}
        assert heard(lambda: admin_client.post(self.url, data | {"_save": "Save"})) == "one"

    def test_deleted(self, admin_client, heard):
        one, two, three = (Announcement.objects.create(text=text) for text in ("1", "2", "3"))
        path = f"{self.url}{three.pk}/delete/"
        assert heard(lambda: admin_client.post(path, {"post": "yes"})) == "2"
        data = {"action": "delete_selected", "_selected_action": [one.pk, two.pk], "post": "yes"}
        assert heard(lambda: admin_client.post(self.url, data)) == ""
