from datetime import datetime

import pytest
from django.contrib.auth.models import AnonymousUser

from chat.models import HISTORY, Announcement, Message, Room

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
