"""The two forms of a view with handlers, and what is said of a mistake when it is made."""

import pytest
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import Permission, User

from django_websocket import EventView, event, publish, published, websocket_events
from django_websocket.application.views import opens_sockets
from django_websocket.test import WebSocketClient
from support.events.urls import Board, done, room

pytestmark = pytest.mark.django_db


def test_a_handler_stays_a_function():
    def say(request, websocket, data):
        return len(data)

    view = websocket_events(lambda request, websocket: None)
    assert view.event(say) is say
    assert view.event("also")(say) is say
    assert view.published("news")(say) is say


def test_decorators_above_keep_the_handlers():
    view = login_required(websocket_events(lambda request, websocket: None))

    @view.event
    def say(request, websocket, data):
        raise NotImplementedError

    with pytest.raises(ValueError, match="already has a handler"):
        view.event(say)


def test_by_a_class(client):
    done.clear()
    with client.connect("/board/lobby/") as board:
        assert board.request("rename", {"title": "Attic"})["data"] == {
            "title": "Attic",
            "word": "hello",
        }
        assert board.request("move-it", {"to": {"x": 1}})["error"]["code"] == "forbidden"
        publish("board.lobby", 1)
        assert board.receive_json()["data"] == 1
        publish("news.lobby", 2)
        assert board.receive_json()["data"] == ["hello", 2]
    assert done == ["board ended"]


def test_a_class_has_the_handlers_of_its_bases(client):
    with client.connect("/other/lobby/") as board:
        assert board.request("added")["data"] == "another"
        assert board.request("rename", {"title": "Attic"})["data"]["word"] == "another"
    with client.connect("/board/lobby/") as board:
        assert board.request("added")["error"]["code"] == "unknown_event"


def test_each_socket_has_an_instance_of_its_own(client):
    user = User.objects.create_user("ada")
    user.user_permissions.add(Permission.objects.get(codename="change_user"))
    with client.connect("/board/a/") as one:
        client.force_login(user)
        with client.connect("/board/b/") as two:
            assert two.request("move-it", {"to": {"x": 1}})["data"]["to"] == {"x": 1, "y": 0.0}
            assert one.request("move-it", {"to": {"x": 1}})["error"]["code"] == "forbidden"
            for board, name in ((one, "a"), (two, "b")):
                publish(f"news.{name}", name)
                assert board.receive_json()["data"] == ["hello", name]


def test_a_mixin_answers_the_handshake(rf):
    class Private(LoginRequiredMixin, EventView):
        login_url = "/login/"

    request = rf.get("/private/")
    request.user = type("Anonymous", (), {"is_authenticated": False})()
    assert Private.as_view()(request).url == "/login/?next=/private/"


def test_the_checks_know_both_for_views_of_sockets():
    assert opens_sockets(room)
    assert opens_sockets(Board.as_view())
    assert opens_sockets(login_required(Board.as_view()))


def test_a_class_may_refuse_with_a_close_code():
    assert Board.as_view().websocket_close_instead is True
    assert EventView.as_view().websocket_close_instead is False
    assert EventView.as_view(close_instead=True).websocket_close_instead is True


def test_a_page_asks_for_an_upgrade(rf):
    assert Board.as_view()(rf.get("/"), board="a").status_code == 426


async def coroutine(request, websocket, data):
    raise NotImplementedError


async def async_generator(request, websocket):
    yield


def make(**attributes):
    return type("Made", (EventView,), attributes)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: websocket_events(coroutine), "write def instead of async def"),
        (lambda: websocket_events(async_generator), "write def instead of async def"),
        (lambda: websocket_events("room"), "expected a view, found 'room'"),
        (lambda: websocket_events(rate=0), "expected rate=a number greater than 0, or None"),
        (lambda: websocket_events(rate="5/s"), "expected rate=a number"),
        (lambda: websocket_events(max_size=1.5), "expected max_size=a number"),
        (lambda: websocket_events(permission=5), "expected permission=a name or several"),
        (lambda: websocket_events(timeout=5), "timeout"),
        (lambda: room.event(coroutine), "write def instead of async def"),
        (lambda: room.event(5), "expected a view, found 5"),
        (lambda: room.event(permission=[5]), "expected permission=a name or several"),
        (lambda: room.published("news")(coroutine), "write def instead of async def"),
        (lambda: event(coroutine), "write def instead of async def"),
        (lambda: published("news")(coroutine), "write def instead of async def"),
        (lambda: make(opened=async_generator), "write def instead of async def"),
        (lambda: make(rate=-1), "expected rate=a number"),
        (lambda: make(permission=5), "expected permission=a name or several"),
        (lambda: make(receive_rate="fast"), "receive_rate"),
        (lambda: EventView.as_view(rate=0), "expected rate=a number"),
        (lambda: EventView.as_view(permission=5), "expected permission=a name or several"),
        (lambda: make(say=event(lambda self: None)), "found too few parameters"),
    ],
)
def test_a_mistake_is_said_at_once(mistake, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        mistake()


def test_what_opens_the_socket_returns_nothing(client):
    with client.connect("/returns/") as socket:
        assert socket.receive() is None
        assert socket.close_code == 1011


def test_in_a_test_that_is_the_test_s():
    with pytest.raises(TypeError, match="returned str after its socket was accepted"):
        WebSocketClient().connect("/returns/").receive()
