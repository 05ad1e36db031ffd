import pytest
from django.contrib.auth.models import AnonymousUser, Permission

from chat.channels import ANNOUNCEMENTS, channel, publish_posted
from chat.models import Announcement, Message, Room
from django_websocket.pubsub import subscribe
from support.server import PATIENCE

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


class TestMessages:
    """What open pages of the room are told; test_models.py has more of it."""

    @pytest.fixture
    def told(self, message, django_capture_on_commit_callbacks, admin_client):
        publish_posted(message)

        def told(path, data, count):
            with subscribe(channel("lobby")) as messages:
                with django_capture_on_commit_callbacks(execute=True):
                    assert admin_client.post(f"/admin/chat/{path}", data).status_code == 302
                return [messages.receive(PATIENCE) for _ in range(count)]

        return told

    def test_a_deleted_message_is_taken_back(self, told, message):
        removed, retracted = told(f"message/{message.pk}/delete/", {"post": "yes"}, 2)
        assert removed.data == {"removed": [message.pk]}
        assert retracted.retracted

    def test_so_are_selected_ones(self, told, message):
        data = {"action": "delete_selected", "_selected_action": [message.pk], "post": "yes"}
        assert told("message/", data, 2)[0].data == {"removed": [message.pk]}

    def test_an_emptied_room_is_cleared_and_stays(self, told, message):
        data = {"action": "empty", "_selected_action": [message.room_id]}
        assert told("room/", data, 1)[0].cleared
        assert not Message.objects.exists()
        assert Room.objects.get() == message.room

    def test_a_deleted_room_is_cleared(self, told, message):
        assert told(f"room/{message.room_id}/delete/", {"post": "yes"}, 1)[0].cleared

    def test_a_room_of_another_name_leaves_nothing_behind(self, told, message):
        path = f"room/{message.room_id}/change/"
        assert told(path, {"slug": "kitchen"}, 1)[0].cleared
        told(path, {"slug": "kitchen"}, 0)
        with subscribe(channel("lobby"), since="0", timeout=0) as messages:
            assert len(list(messages)) == 1  # it was cleared once

    def test_who_may_not_delete_messages_cannot_empty_a_room(self, client, message, member):
        member.is_staff = True
        member.save()
        member.user_permissions.set(Permission.objects.filter(codename__endswith="_room"))
        client.force_login(member)
        assert "Delete all messages" not in client.get("/admin/chat/room/").content.decode()
        client.post("/admin/chat/room/", {"action": "empty", "_selected_action": [1]})
        assert Message.objects.exists()

    def test_an_edited_message_is_the_new_one_in_pages_and_in_the_history(self, told, message):
        data = {"room": message.room_id, "name": "Ada", "colour": "#1a2b3c", "text": "Good day"}
        (edited,) = told(f"message/{message.pk}/change/", data, 1)
        assert (edited.data["id"], edited.data["text"]) == (message.pk, "Good day")
        with subscribe(channel("lobby"), since="0") as messages:
            assert messages.receive(PATIENCE).data["text"] == "Good day"

    def test_a_message_that_moves_leaves_its_room(self, told, message):
        kitchen = Room.objects.create(slug="kitchen")
        data = {"room": kitchen.pk, "name": "Ada", "colour": "#1a2b3c", "text": "Hello"}
        with subscribe(channel("kitchen")) as messages:
            assert told(f"message/{message.pk}/change/", data, 1)[0].data == {
                "removed": [message.pk]
            }
            assert messages.receive(PATIENCE).data["id"] == message.pk

    def test_a_new_message_is_published(self, told, message):
        data = {"room": message.room_id, "name": "Ada", "colour": "#1a2b3c", "text": "Welcome"}
        assert told("message/add/", data, 1)[0].data["text"] == "Welcome"


@pytest.fixture
def heard(django_capture_on_commit_callbacks):
    """What open windows are told by what is done, in a transaction as outside of tests."""

    def heard(act):
        with subscribe(ANNOUNCEMENTS) as messages:
            with django_capture_on_commit_callbacks(execute=True):
                assert act().status_code == 302
            return messages.receive(PATIENCE).data

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
