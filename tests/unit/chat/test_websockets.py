"""What a room answers. tests/integration/test_chat.py has the same over real sockets."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser

from chat.models import Message
from chat.websockets import answer, history

pytestmark = pytest.mark.django_db

VALID = {"name": "Ada", "colour": "#1a2b3c", "text": "Hello"}


def ask(message=VALID, user=None):
    if not isinstance(message, str | bytes):
        message = json.dumps(message)
    return json.loads(answer(user or AnonymousUser(), "lobby", message))


def test_stores_and_publishes_a_message(redis):
    with redis.listen("chat.lobby") as published:
        reply = ask()
        message = Message.objects.get()
        assert reply == {"type": "sent", "id": message.pk}
        assert json.loads(next(published)) == {"type": "message", "message": message.as_dict()}
    assert (message.name, message.text, message.room.slug) == ("Ada", "Hello", "lobby")


def test_a_member_speaks_under_their_own_name(redis, member):
    ask(user=member)
    message = Message.objects.get()
    assert (message.user, message.name) == (member, "Grace")


def test_names_what_is_wrong_by_field(redis):
    reply = ask({"name": "", "colour": "red", "text": "Hello"})
    assert reply["type"] == "error"
    assert reply["errors"].keys() == {"name", "colour"}
    assert reply["errors"]["name"] == ["Enter a name."]
    assert not Message.objects.exists()


@pytest.mark.parametrize("message", ["hello", b"\xff", "[]", {"text": 1}, "x" * 100_000])
def test_garbage_gets_a_sentence(redis, message):
    reply = ask(message)
    assert reply["type"] == "error"
    assert len(reply["errors"]["__all__"]) == 1


def test_keeps_nothing_that_nobody_hears(no_redis):
    reply = ask()
    assert "Not sent" in reply["errors"]["__all__"][0]
    assert not Message.objects.exists()


def test_history(redis):
    assert json.loads(history("lobby")) == {"type": "history", "messages": []}
    ask()
    (message,) = json.loads(history("lobby"))["messages"]
    assert message["text"] == "Hello"
