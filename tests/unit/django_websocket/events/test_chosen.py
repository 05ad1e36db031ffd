"""Channels that a client chooses."""

import pytest
from django.contrib.auth.models import Permission, User

from django_websocket import publish, recheck_permissions, websocket_events


@pytest.fixture
def ada(db):
    user = User.objects.create(username="ada")
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    return user


@pytest.fixture
def chooser(client, ada):
    client.force_login(ada)
    with client.connect("/chooser/") as socket:
        yield socket


def ask(socket, event, **fields):
    return socket.request(event, fields)["data"]


def refused(socket, event, **fields):
    return socket.request(event, fields)["error"]["code"]


def test_each_channel_has_its_own_position(chooser):
    first = publish("open.a", 1)
    publish("open.a", 2)
    ask(chooser, "ws.subscribe", channel="open.b")
    publish("open.b", 3)
    assert chooser.receive_json()["data"] == 3
    ask(chooser, "ws.subscribe", channel="open.a", since=first)
    assert chooser.receive_json()["data"] == 2


def test_unsubscribe(chooser):
    ask(chooser, "ws.subscribe", channel="open.a")
    ask(chooser, "ws.unsubscribe", channel="open.a")
    publish("open.a", 1)
    ask(chooser, "ws.subscribe", channel="open.b")
    publish("open.b", 2)
    assert chooser.receive_json()["data"] == 2
    assert refused(chooser, "ws.unsubscribe", channel="open.a") == "not_subscribed"


@pytest.mark.parametrize(
    "channel", [None, 5, "", "a room", "{x}:presence", "x" * 201, "django_websocket.user.1"]
)
def test_what_is_no_channel_is_said(chooser, channel):
    assert refused(chooser, "ws.subscribe", channel=channel) == "invalid_channel"


def test_a_wrong_position_and_a_bug_of_the_rule_are_said(chooser):
    assert refused(chooser, "ws.subscribe", channel="open.a", since=7) == "invalid_since"
    assert refused(chooser, "ws.subscribe", channel="buggy") == "internal"
    ask(chooser, "ws.subscribe", channel="open.a")


def test_what_the_rule_denies_is_forbidden(client, db):
    with client.connect("/chooser/") as socket:
        assert refused(socket, "ws.subscribe", channel="secret") == "forbidden"


def test_a_channel_ends_with_the_permission(chooser, ada):
    for channel in ("secret", "open.a"):
        ask(chooser, "ws.subscribe", channel=channel)
    ada.user_permissions.clear()
    assert chooser.receive_json() == {"type": "ws.unsubscribed", "channel": "secret"}
    publish("secret", 1)
    publish("open.a", 2)
    assert chooser.receive_json()["data"] == 2
    assert refused(chooser, "ws.subscribe", channel="secret") == "forbidden"
    recheck_permissions(ada)


def test_a_view_without_a_rule_knows_no_such_event(room):
    assert refused(room, "ws.subscribe", channel="open.a") == "unknown_event"


def test_what_is_no_rule_is_said_at_import():
    with pytest.raises(TypeError, match="authorize as a function"):
        websocket_events(authorize="chat.view_room")


def test_a_class_has_its_rule_as_a_method(client, db):
    with client.connect("/other/lobby/") as socket:
        assert refused(socket, "ws.subscribe", channel="other") == "forbidden"
        assert ask(socket, "ws.subscribe", channel="another")["channel"] == "another"
    with client.connect("/board/lobby/") as socket:
        assert refused(socket, "ws.subscribe", channel="another") == "unknown_event"
