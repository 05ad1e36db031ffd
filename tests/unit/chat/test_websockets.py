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

VALID = {"name": "Ada", "colour": "#1a2b3c", "text": "Hello"}


@pytest.fixture
def client():
    return WebSocketClient()


@pytest.fixture
def room(client):
    with client.connect("/chat/lobby/") as socket:
        yield socket


def ask(socket, message=VALID):
    """Say something, and skip to the answer."""
    socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    while (reply := socket.receive_json()).get("type") not in ("sent", "entered", "error"):
        pass
    return reply


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
    reply = ask(room)
    message = Message.objects.get()
    assert reply == {"type": "sent", "key": None, "id": message.pk}
    assert (message.name, message.text, message.room.slug) == ("Ada", "Hello", "lobby")
    with subscribe(channel("lobby"), since="0") as messages:
        assert messages.receive(PATIENCE).data == message.as_dict()


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_deleted_while_it_is_published_does_not_stay(room):
    def delete(instance, **kwargs):
        Message.objects.filter(pk=instance.pk).delete()

    post_save.connect(delete, sender=Message)
    try:
        number = ask(room)["id"]
    finally:
        post_save.disconnect(delete, sender=Message)
    with subscribe(channel("lobby"), since="0", timeout=0) as messages:
        heard = list(messages)
    assert [message.data for message in heard if not message.notice] == [{"removed": [number]}] * 2
    assert [message.retracted for message in heard if message.notice] == [heard[1].id] * 2


def test_everyone_hears_it(client, room):
    with client.connect("/chat/lobby/") as other, client.connect("/chat/kitchen/") as elsewhere:
        ask(room)
        assert hear(other)["data"]["text"] == "Hello"
        assert ask(elsewhere)["type"] == "sent"


def test_goes_on_after_what_the_client_has(client, room):
    for text in ("one", "two", "three"):
        ask(room, VALID | {"text": text})
    with client.connect("/chat/lobby/?since=0") as late:
        heard = [hear(late) for _ in range(3)]
    assert [message["data"]["text"] for message in heard] == ["one", "two", "three"]
    with client.connect(f"/chat/lobby/?since={heard[0]['id']}") as again:
        assert [hear(again) for _ in range(2)] == heard[1:]


@pytest.mark.parametrize("since", ["", "x", "%00", "9" * 5000, "1767225600000-000000"])
def test_goes_on_whatever_a_client_claims_to_have(client, since):
    with client.connect(f"/chat/lobby/?since={since}") as socket:
        assert ask(socket)["type"] == "sent"


def test_what_is_said_again_with_its_key_is_stored_once(client, room):
    first, again, other = (
        ask(room, VALID | {"key": key}) for key in ("a" * 32, "a" * 32, str(UUID(int=1)))
    )
    assert first == again == {"type": "sent", "key": "a" * 32, "id": first["id"]}
    assert other["id"] != first["id"]
    assert Message.objects.count() == 2


def test_a_key_belongs_to_its_room(client, room):
    with client.connect("/chat/kitchen/") as kitchen:
        ids = {ask(socket, VALID | {"key": str(UUID(int=1))})["id"] for socket in (room, kitchen)}
    assert len(ids) == 2


def test_a_member_speaks_under_their_own_name(client, member):
    client.force_login(member)
    with client.connect("/chat/lobby/") as socket:
        ask(socket)
    message = Message.objects.get()
    assert (message.user, message.name) == (member, "Grace")


def test_tells_who_is_in_the_room_and_who_comes_and_goes(client, room):
    assert people(room) == {"type": "people", "present": []}
    assert ask(room, {"type": "enter", "name": " Ada  Lovelace"}) == {
        "type": "entered",
        "name": "Ada Lovelace",
    }
    with client.connect("/chat/lobby/") as other, client.connect("/chat/kitchen/") as elsewhere:
        assert people(other)["present"] == ["Ada Lovelace"]
        assert people(elsewhere)["present"] == []
        other.send_json({"type": "enter", "name": "Grace"})  # the answer may come before or after
        assert people(other) == {"type": "people", "joined": ["Grace"], "left": []}
        assert presence(channel("lobby")) == {"Ada Lovelace": 1, "Grace": 1}
        ask(room, {"type": "enter", "name": "Countess"})
        assert people(other)["joined"] == ["Countess"]
    assert presence(channel("lobby")) == {"Countess": 1}


def test_who_only_looks_is_not_among_the_people(room):
    ask(room)
    assert presence(channel("lobby")) == {}


def test_a_member_is_present_under_their_own_name(client, member):
    client.force_login(member)
    with client.connect("/chat/lobby/") as socket:
        assert ask(socket, {"type": "enter", "name": "Ada"})["name"] == "Grace"
        assert presence(channel("lobby")) == {"Grace": 1}


@pytest.mark.parametrize("name", ["", "x" * 33, "grace", "a\u0000b"])
def test_nobody_is_present_under_a_wrong_name(room, member, name):
    reply = ask(room, {"type": "enter", "name": name})
    assert (reply["type"], reply["key"], reply["errors"].keys()) == ("error", None, {"name"})
    assert presence(channel("lobby")) == {}


def test_names_what_is_wrong_by_field(room):
    key = str(uuid4())
    reply = ask(room, {"name": "", "colour": "red", "text": "Hello", "key": key})
    assert (reply["type"], reply["key"]) == ("error", key)
    assert reply["errors"].keys() == {"name", "colour"}
    assert reply["errors"]["name"] == ["Enter a name."]
    assert not Message.objects.exists()


@pytest.mark.parametrize("message", ["hello", b"\xff", "[]", {"text": 1}, "x" * 100_000])
def test_garbage_gets_a_sentence(room, message):
    reply = ask(room, message)
    assert reply["type"] == "error"
    assert len(reply["errors"]["__all__"]) == 1


def test_without_a_broker_the_client_is_to_come_back_later(client, no_broker):
    with client.connect("/chat/lobby/") as socket:
        assert socket.receive() is None
        assert socket.close_code == 1013
