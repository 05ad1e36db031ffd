import os
import subprocess
import sys
import time

import pytest
from django.db import transaction

from django_websocket import pubsub
from django_websocket.errors import BrokerError
from django_websocket.pubsub import (
    presence,
    presence_channel,
    publish,
    publish_on_commit,
    subscribe,
)
from django_websocket.pubsub.process import get_dispatcher
from support.server import PATIENCE, ROOT


@pytest.fixture
def in_memory(settings):
    settings.WEBSOCKET_BROKER = "memory://"


@pytest.fixture(params=["memory", "redis"])
def broker(request, settings):
    if request.param == "memory":
        settings.WEBSOCKET_BROKER = "memory://"
    else:
        settings.WEBSOCKET_BROKER = request.getfixturevalue("redis").url
    yield
    settings.WEBSOCKET_BROKER = "memory://"


def test_the_public_names():
    assert sorted(pubsub.__all__) == [
        "Message", "clear", "clear_on_commit", "edit", "edit_on_commit", "presence",
        "presence_channel", "publish", "publish_on_commit", "publish_to_user",
        "publish_to_user_on_commit", "register_broker", "retract", "retract_on_commit",
        "subscribe", "user_channel",
    ]  # fmt: skip


def test_publish_and_read(broker):
    first = publish("room", {"text": "hello"})
    with subscribe("room", since="0") as messages:
        second = publish("room", b"bytes")
        received = [messages.receive(PATIENCE), messages.receive(PATIENCE)]
    assert [(message.id, message.data) for message in received] == [
        (first, {"text": "hello"}),
        (second, b"bytes"),
    ]
    assert first < second


def test_a_loop_ends_after_a_silence(broker):
    publish("room", 0)
    with subscribe("room", since="0", timeout=0.1) as messages:
        assert [message.data for message in messages] == [0]


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"history": -1}, "history"), ({"ttl": 0}, "ttl"), ({"ttl": float("nan")}, "ttl")],
)
def test_wrong_options_are_refused(in_memory, options, problem):
    with pytest.raises(ValueError, match=f"expected a {problem}"):
        publish("room", "x", **options)


def test_wrong_names_are_refused(in_memory):
    with pytest.raises(ValueError, match="channel's name"):
        publish("two words", "x")
    with pytest.raises(ValueError, match="channel's name"), subscribe("two words"):
        pass


def test_the_settings_say_how_much_is_kept(broker, settings):
    settings.WEBSOCKET_HISTORY = 0
    publish("room", 0)
    with subscribe("room", since="0", timeout=0.05) as messages:
        assert list(messages) == []
    publish("room", 1, history=5)
    with subscribe("room", since="0", timeout=0.05) as messages:
        assert [message.data for message in messages] == [1]


@pytest.mark.django_db(transaction=True)
def test_publish_on_commit(in_memory):
    with subscribe("room") as messages:
        value = {"text": "as it is now"}
        with transaction.atomic():
            publish_on_commit("room", value)
            value["text"] = "changed later"
            with pytest.raises(TimeoutError):
                messages.receive(0)
        assert messages.receive(0).data == {"text": "as it is now"}
        with transaction.atomic():
            publish_on_commit("room", "rolled back")
            transaction.set_rollback(True)
        publish("room", "next")
        assert messages.receive(0).data == "next"


@pytest.mark.django_db(transaction=True)
def test_publish_on_commit_refuses_before_the_commit(in_memory):
    with transaction.atomic():
        with pytest.raises(ValueError, match="channel's name"):
            publish_on_commit("two words", "x")
        with pytest.raises(TypeError):
            publish_on_commit("room", object())


@pytest.mark.django_db(transaction=True)
def test_a_commit_stays_when_the_broker_is_away(settings, tmp_path, caplog):
    settings.WEBSOCKET_BROKER = f"unix://{tmp_path}/nobody.sock"
    with transaction.atomic():
        publish_on_commit("room", "x")
    assert "nobody.sock" in caplog.text


@pytest.mark.parametrize("url", ["unix:///nowhere/redis.sock", "redis://127.0.0.1:1"])
def test_a_broker_that_is_away_is_one_exception_at_once(settings, url):
    settings.WEBSOCKET_BROKER = url
    began = time.monotonic()
    with pytest.raises(BrokerError):
        publish("room", "x")
    assert time.monotonic() - began < 1


def test_a_broker_that_hangs_is_given_two_seconds(settings, redis):
    settings.WEBSOCKET_BROKER = redis.url
    publish("room", "x")
    redis.call("CLIENT", "PAUSE", "30000", "ALL")
    began = time.monotonic()
    with pytest.raises(BrokerError, match=r"(?i)timeout"):
        publish("room", "x")
    assert time.monotonic() - began < 3


def test_a_child_process_has_a_hub_of_its_own(settings, redis):
    settings.WEBSOCKET_BROKER = redis.url
    with subscribe("room") as messages:
        child = os.fork()
        if not child:
            with subscribe("room", since="0") as its_messages:
                publish("room", "from the child")
                os._exit(its_messages.receive(PATIENCE).data != "from the child")
        assert os.waitpid(child, 0)[1] == 0
        assert messages.receive(PATIENCE).data == "from the child"


def test_publishing_starts_no_thread_and_needs_no_event_loop(redis):
    script = (
        "import os, sys, threading, django\n"
        "django.setup()\n"
        "from django_websocket.pubsub import publish\n"
        "print(publish('room', 'x'))\n"
        "assert threading.active_count() == 1\n"
        "assert 'asyncio' not in sys.modules or not sys.modules['asyncio']._get_running_loop()\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", script],
        env=os.environ
        | {
            "PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}",
            "DJANGO_SETTINGS_MODULE": "support.channels.settings",
            "CHANNELS_BROKER": redis.url,
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert redis.call("GET", "websocket:{room}") == run.stdout.strip()


def test_presence_lists_who_is_there_and_can_be_subscribed_to(broker):
    announcer = get_dispatcher().announcer
    with subscribe(presence_channel("room")) as changes:
        for name in ("Grace", "Ada", "Grace"):
            announcer.enter("room", name)
        assert list(presence("room").items()) == [("Ada", 1), ("Grace", 2)]
        announcer.leave("room", "Ada")
        told = [changes.receive(PATIENCE).data for _ in range(3)]
    assert told[0] == {"joined": ["Grace"], "left": []}
    assert told[2] == {"joined": [], "left": ["Ada"]}
    assert presence("room") == {"Grace": 2}


def test_presence_of_no_channel_is_refused(in_memory):
    with pytest.raises(ValueError, match="channel's name"):
        presence("not a channel")
