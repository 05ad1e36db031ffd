from datetime import datetime

import pytest
from django.contrib.auth.models import AnonymousUser

from chat.channels import channel, publish_posted
from chat.models import HISTORY, Announcement, Message, Room
from django_websocket.pubsub import subscribe

pytestmark = pytest.mark.django_db


def post(room="lobby", text="Hello", user=None):
    user = user or AnonymousUser()
    return Message.objects.post(room, user=user, name="Ada", colour="#1a2b3c", text=text)


def test_a_room_opens_with_its_first_message():
    assert not Room.objects.exists()
    assert post().room == post().room == Room.objects.get(slug="lobby")


def test_the_latest_messages_of_a_room_oldest_first():
    for number in range(HISTORY + 5):
        post(text=str(number))
    post("elsewhere")
    texts = [message.text for message in Message.objects.latest_in("lobby")]
    assert texts == [str(number) for number in range(5, HISTORY + 5)]
    assert Message.objects.latest_in("nowhere") == []


def test_the_messages_before_one():
    messages = [post(text=str(number)) for number in range(5)]
    before = Message.objects.latest_in("lobby", before=messages[3].pk, count=2)
    assert before == messages[1:3]
    assert Message.objects.latest_in("lobby", before=messages[0].pk) == []


def test_the_latest_messages_take_one_query_with_the_index(django_assert_num_queries):
    post()
    with django_assert_num_queries(1):
        [message.as_dict() for message in Message.objects.latest_in("lobby")]
    plan = Message.objects.filter(room=1).order_by("-pk")[:HISTORY].explain()
    assert "chat_message_latest" in plan


def test_what_a_client_is_told():
    message = post(text="<b>")
    told = message.as_dict()
    assert datetime.fromisoformat(told.pop("created")) == message.created
    assert told == {
        "id": message.pk,
        "name": "Ada",
        "member": False,
        "colour": "#1a2b3c",
        "text": "<b>",
        "edited": False,
    }


def test_a_members_messages_outlive_the_member(member):
    message = post(user=member)
    assert message.as_dict()["member"]
    member.delete()
    message.refresh_from_db()
    assert message.name == "Ada"
    assert not message.as_dict()["member"]


def test_rooms_by_their_last_message():
    Room.objects.create(slug="empty")
    post("first")
    post("second")
    post("first")
    rooms = [(room.slug, room.message_count) for room in Room.objects.with_activity()]
    assert rooms == [("first", 2), ("second", 1), ("empty", 0)]


def test_the_current_announcement():
    assert Announcement.objects.current() is None
    first = Announcement.objects.create(text="first")
    second = Announcement.objects.create(text="second")
    assert Announcement.objects.current() == second
    second.active = False
    second.save()
    assert Announcement.objects.current() == first


def test_words_for_the_admin():
    message = post(text="x" * 60)
    assert str(message) == "Ada: " + "x" * 40
    assert str(message.room) == "lobby"
    assert str(Announcement(text="Coffee")) == "Coffee"


class TestDeleting:
    """Whoever deletes: what is gone leaves open pages, and the history that they go on from."""

    @pytest.fixture
    def said(self):
        messages = [post(text=str(number)) for number in range(4)]
        for message in [*messages, messages[1]]:  # one is published twice: an answer was lost
            publish_posted(message)
        return messages

    @pytest.fixture
    def after(self, django_capture_on_commit_callbacks):
        """What pages get of what is done: one that has the first message, and one that has none."""

        def after(act, room="lobby"):
            with subscribe(channel(room), since="0", timeout=0) as messages:
                first = next(iter(messages)).id
            with django_capture_on_commit_callbacks(execute=True):
                act()
            return [told(room, since) for since in (first, "0")]

        def told(room, since):
            with subscribe(channel(room), since=since, timeout=0) as messages:
                found = list(messages)
            assert not any(message.gap for message in found)
            data = [message.data for message in found if not message.notice]
            texts = [it["text"] for it in data if "text" in it]
            removed = [it["removed"] for it in data if "removed" in it]
            return texts, removed, any(message.cleared for message in found)

        return after

    def test_one_message(self, said, after):
        number = said[1].pk
        again, anew = after(said[1].delete)
        assert again == (["2", "3"], [[number]], False)
        assert anew == (["0", "2", "3"], [[number]], False)

    def test_several_messages(self, said, after):
        some = Message.objects.filter(pk__in=[said[1].pk, said[3].pk])
        again, anew = after(some.delete)
        assert again == (["2"], [[said[1].pk, said[3].pk]], False)
        assert anew[0] == ["0", "2"]

    def test_the_last_of_many(self, said, after):
        for number in range(90):
            publish_posted(post(text=f"more {number}"))
        last = Message.objects.last()
        _, (texts, removed, _) = after(last.delete)
        assert len(texts) == 94
        assert "more 89" not in texts
        assert len(removed) == 1

    @pytest.mark.parametrize(
        "delete",
        [
            lambda: Room.objects.get().delete(),
            lambda: Room.objects.all().delete(),
            lambda: Room.objects.with_activity().delete(),
            lambda: Room.objects.with_activity().empty(),
        ],
    )
    def test_all_that_was_said_in_a_room(self, said, after, delete):
        assert after(delete) == [([], [], True)] * 2
        assert not Message.objects.exists()

    def test_another_room_keeps_what_it_has(self, said, after):
        publish_posted(post("kitchen", "water"))
        Room.objects.filter(slug="lobby").empty()
        [_, anew] = after(Room.objects.get(slug="lobby").delete, "kitchen")
        assert anew == (["water"], [], False)

    def test_a_member_is_deleted_and_what_they_said_stays(self, member, after):
        publish_posted(post(user=member))
        assert after(member.delete)[1] == (["Hello"], [], False)

    def test_what_is_rolled_back_stays(self, said, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=False):
            said[0].delete()
        with subscribe(channel("lobby"), since="0", timeout=0) as messages:
            assert len([message for message in messages if not message.notice]) == 5

    def test_a_broker_that_is_away_is_an_error_in_the_log(
        self, said, no_broker, django_capture_on_commit_callbacks, caplog
    ):
        with django_capture_on_commit_callbacks(execute=True):
            said[0].delete()
            Room.objects.all().delete()
        assert not Message.objects.exists()
        assert "nobody.sock" in caplog.text
