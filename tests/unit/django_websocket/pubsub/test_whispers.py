"""Whispers, and metadata of who is present, on live workers with an independent client."""

import itertools
import json

import pytest

from django_websocket.pubsub.message import MAX_CHANNEL_LENGTH, ReservedChannel
from django_websocket.pubsub.users import user_channel
from django_websocket.pubsub.whispers import whisper_channel
from support.redis import redis_server
from support.server import OUR_WORKER, serve

_numbers = itertools.count()


@pytest.fixture(scope="module", params=["memory", "redis"])
def servers(request, tmp_path_factory):
    """Two processes of a site, or one twice where messages stay in the process."""
    folder = tmp_path_factory.mktemp("whispers")

    def started(name, url):
        env = {"CHANNELS_BROKER": url, "CHANNELS_PRESENCE_LINGER": "0"}
        return serve("support.channels.wsgi:websocket", OUR_WORKER, folder / name, env)

    if request.param == "memory":
        with started("log", "memory://") as server:
            yield server, server
        return
    with redis_server() as redis, started("1", redis.url) as one, started("2", redis.url) as other:
        yield one, other


@pytest.fixture
def path():
    return f"/typing/room-{next(_numbers)}/"


def joined(server, path):
    client = server.connect(path)
    while json.loads(client.recv()) != "ready":
        pass
    return client


def say(client, value):
    client.send(json.dumps(value))


def received(client):
    message = json.loads(client.recv())
    return message.get("whisper", message.get("data"))


def test_a_whisper_reaches_the_others_in_every_process_and_not_its_sender(servers, path):
    ada, grace, alan = (joined(server, path) for server in (*servers, servers[0]))
    say(ada, {"typing": True})
    for client in (grace, alan):
        channel = path.split("/")[2]
        assert json.loads(client.recv()) == {"channel": channel, "whisper": {"typing": True}}
    say(grace, "me too")
    assert received(ada) == received(alan) == "me too"


def test_it_says_who_has_entered(servers, path):
    one, other = joined(servers[0], path + "?name=Ada"), joined(servers[1], path)
    say(one, {"meta": {"away": True}})
    say(one, "hello")
    message = json.loads(other.recv())
    assert (message["from"], message["whisper"]) == ("Ada", "hello")


def test_nobody_who_comes_later_gets_it_nor_who_has_left(servers, path):
    ada, grace = joined(servers[0], path), joined(servers[1], path)
    say(ada, "one")
    assert received(grace) == "one"
    late = joined(servers[1], path)
    say(grace, "unsubscribe")
    say(grace, "two")  # after that, as messages of one socket are dealt with in order
    assert received(ada) == received(late) == "two"
    say(ada, "three")
    assert received(late) == "three"
    say(grace, "last")
    assert received(late) == "last"
    grace.close()


def test_more_than_ten_a_second_are_dropped_and_the_socket_stays(servers, path):
    ada, grace = joined(servers[0], path), joined(servers[1], path)
    for number in range(200):
        say(ada, number)
    say(ada, "publish")
    numbers = [*iter(lambda: received(grace), "publish")]
    assert 20 <= len(numbers) < 150
    assert numbers == sorted(numbers)


def test_a_channel_s_whispers_are_a_channel_that_no_text_names():
    names = [whisper_channel(name) for name in ("room", "r" * MAX_CHANNEL_LENGTH)]
    assert all(isinstance(name, ReservedChannel) for name in names)
    assert len(names[1]) <= MAX_CHANNEL_LENGTH
    with pytest.raises(ValueError, match="are the library's"):
        whisper_channel(str(names[0]))
    with pytest.raises(ValueError, match="without spaces"):
        whisper_channel("a room")


def test_users_channels_have_whispers_too(django_user_model):
    assert isinstance(whisper_channel(user_channel(django_user_model(pk=7))), ReservedChannel)


# Metadata


def test_who_watches_sees_what_is_known_of_whom(servers, path):
    ada = joined(servers[0], path + "?name=Ada")
    watcher = servers[1].connect(path + "?watch=1")
    assert json.loads(watcher.recv())["present"] == ["Ada"]
    assert json.loads(watcher.recv()) == "ready"
    away = {"name": "Ada", "meta": {"away": True, "device": "phone"}}
    say(ada, {"meta": {"device": "phone", "away": True}})
    change = json.loads(watcher.recv())
    assert (change["joined"], change["left"]) == ([away], ["Ada"])
    late = servers[0].connect(path + "?watch=1")
    assert json.loads(late.recv())["present"] == [away]
    say(ada, {"meta": {}})
    change = json.loads(watcher.recv())
    assert (change["joined"], change["left"]) == (["Ada"], [away])
    ada.close()
    assert json.loads(watcher.recv())["left"] == ["Ada"]
