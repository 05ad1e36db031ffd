"""What a room answers. tests/integration/test_chat.py has the same through the whole stack."""

import json
from uuid import UUID, uuid4

import pytest
from django.db.models.signals import post_save

from chat.channels import channel
from chat.models import Message
from django_websocket.pubsub import presence, subscribe
from django_websocket.test import WebSocketClient
from support.server import PATIENCE

pytestmark = pytest.mark.django_db

NAMED = {"name": "Ada", "colour": "#1a2b3c"}
VALID = NAMED | {"text": "Hello"}


@pytest.fixture
def client():
    return WebSocketClient()


@pytest.fixture
def room(client):
    with client.connect("/chat/lobby/") as socket:
        yield socket


def say(socket, **changes):
    """The id of what was said."""
    return socket.request("say", VALID | changes)["data"]["id"]


def hear(socket):
    """Skip to what is published to the room."""
    while "type" in (message := socket.receive_json()):
        pass
    return message


def people(socket):
    """Skip to what is told of the people."""
    while (message := socket.receive_json()).get("type") != "people":
        pass
    return message


def test_stores_and_publishes_a_message(room):
    answer = room.request("say", VALID)
    message = Message.objects.get()
    assert answer == {"data": {"id": message.pk}}
    assert (message.name, message.text, message.room.slug) == ("Ada", "Hello", "lobby")
    with subscribe(channel("lobby"), since="0") as messages:
        assert messages.receive(PATIENCE).data == message.as_dict()


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_deleted_while_it_is_published_does_not_stay(room):
    def delete(instance, **kwargs):
        Message.objects.filter(pk=instance.pk).delete()

    post_save.connect(delete, sender=Message)
    try:
        number = say(room)
    finally:
        post_save.disconnect(delete, sender=Message)
    with subscribe(channel("lobby"), since="0", timeout=0) as messages:
        heard = list(messages)
    assert [message.data for message in heard if not message.notice] == [{"removed": [number]}] * 2
    assert [message.retracted for message in heard if message.notice] == [heard[1].id] * 2


def test_everyone_hears_it(client, room):
    with client.connect("/chat/lobby/") as other, client.connect("/chat/kitchen/") as elsewhere:
        say(room)
        assert hear(other)["data"]["text"] == "Hello"
        assert say(elsewhere)


def test_goes_on_after_what_the_client_has(client, room):
    for text in ("one", "two", "three"):
        say(room, text=text)
    with client.connect("/chat/lobby/?since=0") as late:
        heard = [hear(late) for _ in range(3)]
    assert [message["data"]["text"] for message in heard] == ["one", "two", "three"]
    with client.connect(f"/chat/lobby/?since={heard[0]['id']}") as again:
        assert [hear(again) for _ in range(2)] == heard[1:]


@pytest.mark.parametrize("since", ["", "x", "%00", "9" * 5000, "1767225600000-000000"])
def test_goes_on_whatever_a_client_claims_to_have(client, since):
    with client.connect(f"/chat/lobby/?since={since}") as socket:
        assert say(socket)


def test_what_is_said_again_with_its_key_is_stored_once(client, room):
    first, again, other = (say(room, key=key) for key in ("a" * 32, "a" * 32, str(UUID(int=1))))
    assert first == again != other
    assert Message.objects.count() == 2


def test_a_key_belongs_to_its_room(client, room):
    with client.connect("/chat/kitchen/") as kitchen:
        ids = {say(socket, key=str(UUID(int=1))) for socket in (room, kitchen)}
    assert len(ids) == 2


def test_a_member_speaks_under_their_own_name(client, member):
    client.force_login(member)
    with client.connect("/chat/lobby/") as socket:
        say(socket)
    message = Message.objects.get()
    assert (message.user, message.name) == (member, "Grace")


def test_tells_who_is_in_the_room_and_who_comes_and_goes(client, room):
    assert people(room) == {"type": "people", "present": []}
    assert room.request("enter", {"name": " Ada  Lovelace"}) == {"data": {"name": "Ada Lovelace"}}
    with client.connect("/chat/lobby/") as other, client.connect("/chat/kitchen/") as elsewhere:
        assert people(other)["present"] == ["Ada Lovelace"]
        assert people(elsewhere)["present"] == []
        other.send_json({"type": "enter", "name": "Grace"})  # the answer may come before or after
        assert people(other) == {"type": "people", "joined": ["Grace"], "left": []}
        assert presence(channel("lobby")) == {"Ada Lovelace": 1, "Grace": 1}
        room.request("enter", {"name": "Countess"})
        assert people(other)["joined"] == ["Countess"]
    assert presence(channel("lobby")) == {"Countess": 1}


def test_who_only_looks_is_not_among_the_people(room):
    say(room)
    assert presence(channel("lobby")) == {}


def test_a_member_is_present_under_their_own_name(client, member):
    client.force_login(member)
    with client.connect("/chat/lobby/") as socket:
        assert socket.request("enter", {"name": "Ada"}) == {"data": {"name": "Grace"}}
        assert presence(channel("lobby")) == {"Grace": 1}


@pytest.mark.parametrize("name", ["", "x" * 33, "grace", "a\u0000b"])
def test_nobody_is_present_under_a_wrong_name(room, member, name):
    assert room.request("enter", {"name": name})["error"]["fields"].keys() == {"name"}
    assert presence(channel("lobby")) == {}


def test_names_what_is_wrong_by_field(room):
    fields = room.request("say", {"name": "", "colour": "red", "text": "Hello"})["error"]["fields"]
    assert fields.keys() == {"name", "colour"}
    assert fields["name"] == ["Enter a name."]
    assert not Message.objects.exists()


def test_a_guest_changes_and_deletes_what_was_sent_with_the_key(room, client):
    key = str(uuid4())
    pk = say(room, key=key)
    hear(room)
    assert room.request("change", {"id": pk, "key": key, "text": "Bye"}) == {"data": {"id": pk}}
    changed = hear(room)["data"]
    assert (changed["id"], changed["text"], changed["edited"]) == (pk, "Bye", True)
    assert room.request("remove", {"id": pk, "key": key}) == {"data": {}}
    assert not Message.objects.exists()


def test_a_member_changes_their_own_messages_in_any_window(client, member):
    client.force_login(member)
    with client.connect("/chat/lobby/") as socket:
        pk = say(socket)
    with client.connect("/chat/lobby/") as socket:
        assert socket.request("change", {"id": pk, "text": "Bye"}) == {"data": {"id": pk}}
    assert Message.objects.get().text == "Bye"


@pytest.mark.parametrize("event", ["change", "remove"])
def test_nobody_else_changes_a_message(room, client, member, event):
    guest_s = say(room, key=str(uuid4()))
    client.force_login(member)
    with client.connect("/chat/lobby/") as socket:
        member_s = say(socket)
        other_room_s = Message.objects.post("hall", user=member, text="x", **NAMED).pk
        for pk in (guest_s, other_room_s, 2**62):
            error = socket.request(event, {"id": pk, "text": "Bye"})["error"]
            assert error["fields"]["__all__"] == ["This message is not yours, or it was deleted."]
    for wrong in ({}, {"key": str(uuid4())}, {"key": ""}):
        answer = room.request(event, {"id": member_s, "text": "Bye", **wrong})
        assert "error" in answer
        assert "error" in room.request(event, {"id": guest_s, "text": "Bye", **wrong})
    assert "error" in room.request(event, {"id": "x", "text": "Bye"})
    assert list(Message.objects.values_list("text", flat=True)) == ["Hello", "Hello", "x"]


def test_others_learn_who_is_typing(room, client):
    room.request("enter", {"name": "Ada"})
    with client.connect("/chat/lobby/") as other:
        people(other)
        room.request("typing", None)
        while "whisper" not in (message := other.receive_json()):
            pass
    assert message == {"channel": channel("lobby"), "from": "Ada", "whisper": "typing"}


def test_the_longest_message_is_not_too_long(room):
    longest = {"name": "\N{GRINNING FACE}" * 32, "text": "\N{GRINNING FACE}" * 1000}
    event = json.dumps(VALID | longest | {"type": "say", "key": str(uuid4())})
    assert len(event) > 12_000  # escaped
    room.send(event)
    assert hear(room)["data"]["text"] == longest["text"]
    assert room.request("say", VALID | {"text": "x" * 17_000})["error"]["code"] == "too_large"


def test_without_a_broker_the_client_is_to_come_back_later(client, no_broker):
    with client.connect("/chat/lobby/") as socket:
        assert socket.receive() is None
        assert socket.close_code == 1013
