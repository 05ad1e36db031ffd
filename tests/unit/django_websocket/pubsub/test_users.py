"""A user's own channel: it reaches all their windows, and no other text reaches it."""

from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import models, transaction
from django.test.utils import isolate_apps
from django.utils.functional import SimpleLazyObject

from django_websocket import (
    clear,
    presence,
    presence_channel,
    publish,
    publish_on_commit,
    publish_to_user,
    publish_to_user_on_commit,
    retract,
    subscribe,
    user_channel,
)
from django_websocket.pubsub.message import check_channel
from django_websocket.pubsub.users import key_of
from django_websocket.test import WebSocketClient


@pytest.fixture(params=["memory", "redis"])
def broker(request, settings):
    settings.WEBSOCKET_URLCONF = "support.channels.urls"
    settings.WEBSOCKET_PRESENCE_LINGER = 0
    settings.WEBSOCKET_BROKER = "memory://"
    if request.param == "redis":
        # The next test's user may have the same primary key.
        url = request.getfixturevalue("shared_redis").url
        settings.WEBSOCKET_BROKER = f"{url}{'&' if '?' in url else '?'}prefix={uuid4().hex}"


@pytest.fixture
def ada(db):
    return User.objects.create_user(f"ada-{uuid4()}")


def window(user, since=""):
    client = WebSocketClient()
    client.force_login(user)
    return client.connect(f"/mine/{since}")


def test_all_windows_of_the_user_get_it_and_nobody_else_s(broker, ada):
    grace = User.objects.create_user("grace")
    with window(ada) as one, window(ada) as two, window(grace) as other:
        published = publish_to_user(ada, {"text": "hello"})
        for socket in (one, two):
            assert socket.receive_json() == {
                "id": published,
                "channel": user_channel(ada),
                "data": {"text": "hello"},
            }
        publish_to_user(grace, "for Grace")
        assert other.receive_json()["data"] == "for Grace"


def test_a_window_that_comes_back_gets_what_it_missed(broker, ada):
    publish_to_user(ada, "seen")
    with window(ada, "?since=0") as socket:
        seen = socket.receive_json()
        assert seen["data"] == "seen"
    publish_to_user(ada, "missed")
    with window(ada, f"?since.{seen['channel']}={seen['id']}") as socket:
        assert socket.receive_json()["data"] == "missed"


def test_the_other_calls_take_its_name(broker, ada):
    name = user_channel(ada)
    with window(ada) as socket, subscribe(name, presence_channel(name), timeout=0) as messages:
        assert presence(name) == {"a window": 1}
        retract(name, publish(name, "a mistake"))
        clear(name)
        notices = [socket.receive_json() for _ in range(3)]
        assert [set(each) - {"id", "channel"} for each in notices] == [
            {"data"},
            {"retracted"},
            {"cleared"},
        ]
        assert {message.channel for message in messages} == {name}


@pytest.mark.django_db(transaction=True)
def test_on_commit(broker):
    ada = User.objects.create_user(f"ada-{uuid4()}")
    with window(ada) as socket:
        with transaction.atomic():
            publish_to_user_on_commit(ada, "later")
            publish_to_user(ada, "now")
        assert [socket.receive_json()["data"] for _ in range(2)] == ["now", "later"]
        with transaction.atomic():
            publish_to_user_on_commit(ada, "never")
            publish_on_commit(user_channel(ada), "never")
            transaction.set_rollback(True)
        publish_to_user(ada, "the last")
        assert socket.receive_json()["data"] == "the last"


@pytest.mark.parametrize("call", [publish, subscribe, presence, presence_channel, clear, retract])
def test_a_text_that_looks_like_its_name_is_refused(call):
    forged = str.__str__(user_channel(SimpleNamespace(pk=5)))
    arguments = {publish: ["text"], retract: ["1767225600000-000000"]}.get(call, [])
    assert type(forged) is str
    with pytest.raises(ValueError, match=r"begin with 'django_websocket\.' are the library's"):
        with_entered(call(forged, *arguments))


def with_entered(result):
    with result:
        pass


def test_nor_who_is_in_it(broker):
    for name in ("django_websocket.user.5", "{django_websocket.user.5}:presence"):
        with pytest.raises(ValueError, match="are the library's"), subscribe(name):
            pass


@pytest.mark.parametrize("path", ["channel", "reader", "room"])
def test_nor_from_a_socket_s_view(broker, ada, path):
    client = WebSocketClient()
    socket = client.connect(f"/{path}/{user_channel(ada)}/")
    with pytest.raises(ValueError, match="are the library's"):
        socket.receive()


def test_nobody_is_logged_in(broker, db):
    socket = WebSocketClient().connect("/mine/")
    with pytest.raises(ValueError, match="put @login_required above @websocket"):
        socket.receive()


@isolate_apps("django_websocket")
def test_any_model_and_primary_key():
    class Account(AbstractBaseUser):
        id = models.UUIDField(primary_key=True)

        class Meta:
            app_label = "django_websocket"

    class Staff(Account):
        class Meta:
            app_label = "django_websocket"

    class Mailbox(models.Model):
        address = models.EmailField(primary_key=True, max_length=254)

        class Meta:
            app_label = "django_websocket"

        def __str__(self):
            return self.address

    number = uuid4()
    names = {user_channel(Account(id=given)) for given in (number, str(number), number.hex)} | {
        user_channel(Staff(account_ptr=Account(id=number), id=number))
    }
    assert names == {f"django_websocket.user.{number}"}
    odd = ["a b", "ü@example.org", "{x}", "%20", "a/b", "x" * 178, "x" * 254, "y" * 254]
    channels = [user_channel(Mailbox(address=address)) for address in odd]
    assert len(set(channels)) == len(odd)
    for channel in channels:
        check_channel(channel)


def test_keys():
    assert key_of(User(pk="5")) == key_of(User(pk=5)) == "5"
    assert key_of(SimpleLazyObject(lambda: User(pk=5))) == "5"
    assert key_of(SimpleNamespace(pk=UUID(int=1))) == str(UUID(int=1))


@pytest.mark.parametrize("user", [AnonymousUser(), User()])
def test_no_user(user):
    with pytest.raises(ValueError, match="expected a user with a primary key"):
        publish_to_user(user, "text")


@pytest.mark.parametrize("user", [5, None, "ada", User])
def test_something_else(user):
    with pytest.raises(TypeError, match="expected a user, found"):
        publish_to_user(user, "text")
