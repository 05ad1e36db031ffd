"""The loop: what an event is answered, whatever it is, and in which world its handler runs."""

import json
import logging

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import override_settings
from django.utils import translation

from django_websocket import publish, publish_to_user, retract
from django_websocket.pubsub import clear
from django_websocket.test import WebSocketClient
from support.events.urls import done

pytestmark = pytest.mark.django_db


def code(answer):
    return answer["error"]["code"]


def say_raw(socket, message):
    """Send a message that is not a request, and return its error."""
    socket.send(message)
    reply = socket.receive_json()
    assert (reply["type"], reply["id"]) == ("ws.reply", None)
    return reply["error"]


def test_what_the_handler_returns_is_the_answer(room):
    assert room.request("rename", {"title": "Attic"}) == {
        "data": {"title": "Attic", "colours": [], "settings": None}
    }
    assert room.receive_json()["data"] == "Attic"
    assert room.request("move-it", {"to": {"x": 1}}) == {
        "data": {"to": {"x": 1, "y": 0.0}, "on": None}
    }
    assert room.request("echo", {"a": [1]}) == {"data": {"a": [1]}}


def test_an_event_that_nobody_waits_for_is_not_answered(room):
    room.send_json({"type": "rename", "title": "Attic"})
    assert room.receive_json()["data"] == "Attic"
    assert say_raw(room, '{"type": "rename"}')["fields"] == {"title": ["This field is required."]}


def test_errors_by_field(room):
    for event in ("rename", "by_hand"):
        assert room.request(event, {"colours": ["green"]}) == {
            "error": {
                "code": "invalid",
                "message": "title: This field is required. colours: Select a valid choice. green "
                "is not one of the available choices.",
                "fields": {
                    "title": ["This field is required."],
                    "colours": [
                        "Select a valid choice. green is not one of the available choices."
                    ],
                },
            }
        }


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("taken", "taken"),
        ("two", "invalid"),
        ("field", "invalid"),
        ("forbidden", "forbidden"),
        ("missing", "not_found"),
    ],
)
def test_django_s_exceptions_are_refusals(room, caplog, how, expected):
    assert code(room.request("refuse", {"how": how})) == expected
    assert room.request("echo") == {"data": {}}
    assert caplog.records == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ('{"type": NaN}', "invalid_json"),
        (b"\xff", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ("null", "invalid_event"),
        ("[1]", "invalid_event"),
        ('{"type": 5}', "invalid_event"),
        ('{"text": "hello"}', "invalid_event"),
        ('{"type": "ws.request", "data": {"type": "echo"}}', "invalid_event"),
        ('{"type": "ws.request", "id": 5, "data": {"type": "echo"}}', "invalid_event"),
        ('{"type": "ws.reply", "id": "5"}', "unknown_event"),
        ('{"type": "__init__"}', "unknown_event"),
        (b'{"type": "nothing"}', "unknown_event"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_whatever_comes_is_answered_and_the_socket_lives_on(room, message, expected):
    assert say_raw(room, message)["code"] == expected
    assert room.request("echo") == {"data": {}}


def test_a_request_without_an_event(room):
    room.send_json({"type": "ws.request", "id": "a", "data": "time"})
    assert room.receive_json() == {
        "type": "ws.reply",
        "id": "a",
        "error": {"code": "invalid_event", "message": 'Expected an object with a "type".'},
    }


@pytest.mark.parametrize(("event", "fields"), [("refuse", {"how": "bug"}), ("unserialisable", {})])
def test_a_bug_is_answered_without_details_and_logged_as_a_page_s(room, caplog, event, fields):
    assert room.request(event, fields) == {
        "error": {"code": "internal", "message": "Something went wrong on the server."}
    }
    (record,) = [found for found in caplog.records if found.name == "django.request"]
    assert record.getMessage() == f"Internal Server Error: /room/lobby/, {event}"
    assert (record.levelno, record.status_code) == (logging.ERROR, 500)
    assert record.request.path == "/room/lobby/"
    assert record.exc_info
    assert room.request("echo") == {"data": {}}


def test_in_a_test_a_bug_is_the_test_s(db):
    socket = WebSocketClient().connect("/room/lobby/")
    socket.request("refuse", {"how": "bug"})
    with pytest.raises(RuntimeError, match="the secret of the handler"):
        socket.close()


def test_a_handler_may_close(room):
    room.send_json({"type": "leave"})
    assert room.receive() is None
    assert (room.close_code, room.close_reason) == (4000, "bye")


def test_without_a_broker_the_client_is_to_come_back_later(room, settings, tmp_path):
    settings.WEBSOCKET_BROKER = f"unix://{tmp_path / 'nobody.sock'}"
    room.send_json({"type": "rename", "title": "Attic"})
    assert room.receive() is None
    assert room.close_code == 1013


def test_a_permission_is_asked_for_anew_with_each_event(client):
    user = User.objects.create_user("ada")
    client.force_login(user)
    with client.connect("/room/lobby/") as room:
        assert code(room.request("guarded")) == "forbidden"
        permission = Permission.objects.get(codename="change_user")
        user.user_permissions.add(permission)
        assert room.request("guarded") == {"data": "done"}
        user.user_permissions.remove(permission)
        assert code(room.request("guarded")) == "forbidden"


def test_too_fast_and_too_large(client, settings):
    settings.WEBSOCKET_RECEIVE_BURST = 300.0  # seconds, for three events
    with client.connect("/limited/") as socket:
        answers = [socket.request("say") for _ in range(5)]
        assert [answer.get("data", "error") for answer in answers] == [0, 0, 0, "error", "error"]
        assert code(answers[-1]) == "too_fast"
    with client.connect("/limited/") as socket:
        assert code(socket.request("say", {"text": "ü" * 100})) == "too_large"
        assert socket.request("say", {"text": "ü" * 20}) == {"data": 1}
        assert say_raw(socket, "x" * 201)["code"] == "too_large"
        assert say_raw(socket, b"x" * 201)["code"] == "too_fast"


def test_what_follows_the_yield_runs_at_the_end(client):
    done.clear()
    with client.connect("/limited/") as socket:
        socket.request("say")
        assert done == []
    assert done == ["limited ended"]


def test_also_if_the_view_has_closed_or_the_broker_is_away(client, settings, tmp_path):
    done.clear()
    with client.connect("/limited/") as socket:
        socket.send_json({"type": "leave_it"})
        socket.send_json({"type": "say"})
        assert socket.receive() is None
        assert socket.close_code == 4000
    assert done == ["limited ended"]
    with client.connect("/limited/") as socket:
        socket.send_json({"type": "ws.request", "id": "a", "data": {"type": "leave_it"}})
        assert socket.receive() is None  # the answer cannot be sent
    assert done == ["limited ended"] * 2
    with client.connect("/limited/") as socket:
        settings.WEBSOCKET_BROKER = f"unix://{tmp_path / 'nobody.sock'}"
        socket.send_json({"type": "announce"})
        assert socket.receive() is None
        assert socket.close_code == 1013
    assert done == ["limited ended"] * 3


def test_a_view_may_close_before_it_answers_anything(client):
    for query in ("", "?yield=1"):
        with client.connect(f"/closes/{query}") as socket:
            assert socket.receive() is None
            assert (socket.close_code, socket.close_reason) == (4000, "not today")


# Its world


def test_the_language_and_the_user_of_the_handshake(client):
    client.force_login(User.objects.create_user("ada"))
    with translation.override(None), client.connect("/room/lobby/") as room:
        found = room.request("world")["data"]
    assert (found["user"], found["language"]) == ("ada", "en")


def test_errors_in_the_language_of_the_handshake(client, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    with client.connect("/room/lobby/", headers={"Accept-Language": "de"}) as room:
        for event in ("rename", "by_hand"):
            fields = room.request(event)["error"]["fields"]
            assert fields == {"title": ["Dieses Feld ist zwingend erforderlich."]}
        assert room.request("move-it", {"to": {}})["error"]["fields"] == {
            "to.x": ["Dieses Feld ist zwingend erforderlich."]
        }
        assert room.request("world")["data"]["language"] == "de"


@pytest.fixture
def atomic_requests():
    databases = connections.settings
    before = databases["default"]["ATOMIC_REQUESTS"]
    databases["default"]["ATOMIC_REQUESTS"] = True
    yield
    databases["default"]["ATOMIC_REQUESTS"] = before


@pytest.mark.django_db(transaction=True)
def test_no_transaction_unless_the_settings_ask_for_one(room):
    assert room.request("world")["data"]["atomic"] is False
    assert code(room.request("store", {"name": "ada", "how": "taken"})) == "taken"
    assert User.objects.filter(username="ada").exists()


@pytest.mark.django_db(transaction=True)
def test_atomic_requests_wrap_each_event(room, atomic_requests):
    assert room.request("world")["data"]["atomic"] is True
    assert room.request("apart")["data"] is False
    assert room.request("store", {"name": "ada"}) == {"data": None}
    for how in ("taken", "bug"):
        assert code(room.request("store", {"name": how, "how": how})) in ("taken", "internal")
    assert [*User.objects.values_list("username", flat=True)] == ["ada"]


@pytest.mark.django_db(transaction=True)
def test_a_bug_in_the_database_costs_one_event(room):
    assert room.request("store", {"name": "ada"}) == {"data": None}
    assert code(room.request("store", {"name": "ada"})) == "internal"
    assert room.request("store", {"name": "grace"}) == {"data": None}


# Channels


def test_a_published_message_is_handled_for_each_socket(client):
    ada, grace = (User.objects.create_user(name) for name in ("ada", "grace"))
    sockets = []
    for user in (ada, grace):
        client.force_login(user)
        sockets.append(client.connect("/orders/books/"))
    first = publish("orders.books", "ada")
    publish("orders.books", "grace")
    for socket, name in zip(sockets, ("ada", "grace"), strict=True):
        message = socket.receive_json()
        assert (message["channel"], message["data"]) == ("orders.books", {"mine": name})
        if name == "ada":
            assert message["id"] == first
        publish_to_user(User.objects.get(username=name), "hello")
        assert socket.receive_json()["data"] == {"own": "hello"}
        assert socket.request("count") == {"data": {"users": 2}}
        socket.close()


def test_each_side_in_its_order_and_neither_waits_for_the_other(client):
    client.force_login(User.objects.create_user("ada"))
    with client.connect("/orders/books/") as socket:
        for number in range(20):
            publish("orders.books", "ada")
            socket.send_json({"type": "ws.request", "id": f"n{number}", "data": {"type": "count"}})
        received = [socket.receive_json() for _ in range(40)]
    replies = [message["id"] for message in received if "channel" not in message]
    ids = [message["id"] for message in received if "channel" in message]
    assert replies == [f"n{number}" for number in range(20)]
    assert ids == sorted(ids)
    assert len(ids) == 20


def test_a_handled_channel_is_resumed_too(client):
    user = User.objects.create_user("ada")
    client.force_login(user)
    seen = publish("orders.books", "ada")
    missed = publish("orders.books", "ada")
    with client.connect(f"/orders/books/?since.orders.books={seen}") as socket:
        assert socket.receive_json()["id"] == missed


def test_notices_reach_the_client_as_they_are(client):
    client.force_login(User.objects.create_user("ada"))
    with client.connect("/orders/books/") as socket:
        posted = publish("orders.books", "ada")
        retract("orders.books", posted)
        clear("orders.books")
        received = [socket.receive_json() for _ in range(3)]
    assert received[1]["retracted"] == posted
    assert received[2]["cleared"] is True


def test_a_bug_or_a_refusal_costs_one_message(client, caplog):
    client.force_login(User.objects.create_user("ada"))
    with client.connect("/orders/books/") as socket:
        for word in ("bug", "private", "ada"):
            publish("orders.books", word)
        assert socket.receive_json()["data"] == {"mine": "ada"}
    (record,) = [found for found in caplog.records if found.name == "django.request"]
    assert record.getMessage() == "Internal Server Error: /orders/books/, orders.books"


def test_what_the_client_has_sent_before_the_end_is_handled(client):
    with client.connect("/room/lobby/") as room:
        for number in range(5):
            room.send(json.dumps({"type": "echo", "n": number}))
        assert room.request("echo", {"last": True})["data"] == {"last": True}


@override_settings(MIDDLEWARE=[])
def test_a_permission_without_users_is_a_mistake_of_the_project(client, caplog):
    with client.connect("/room/lobby/") as room:
        assert code(room.request("guarded")) == "internal"
    assert "AuthenticationMiddleware" in caplog.text
