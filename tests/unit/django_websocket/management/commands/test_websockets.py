"""``manage.py websockets``, against a real Redis."""

import io
import os
import re
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.management import CommandError, call_command

from django_websocket.pubsub import clear, publish, retract, subscribe
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.server import health
from django_websocket.test import WebSocketClient
from support.ports import free_port
from support.redis import redis_server
from support.server import PATIENCE, ROOT


@pytest.fixture(scope="module")
def redis():
    with redis_server() as server:
        yield server


@pytest.fixture
def broker(redis, settings):
    settings.WEBSOCKET_BROKER = redis.url
    yield
    settings.WEBSOCKET_BROKER = "memory://"


@pytest.fixture
def lobby(request, broker):
    """A channel of the test's own."""
    return f"lobby.{request.node.name.partition('[')[0]}"


def websockets(*arguments, **options):
    """What the command prints on standard output, and on standard error."""
    out, err = io.StringIO(), io.StringIO()
    call_command("websockets", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def lines(*arguments):
    return websockets("tail", *arguments)[0].splitlines()


@pytest.fixture
def ada(db):
    return get_user_model().objects.create_user("ada")


# publish


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("hello, you", "hello, you"),
        ("42", 42),
        ("NaN", "NaN"),
    ],
)
def test_publish_takes_json_or_text_and_prints_the_id(lobby, text, value):
    with subscribe(lobby) as messages:
        out, _ = websockets("publish", lobby, text)
        message = messages.receive(PATIENCE)
    assert message.data == value
    assert out == f"{message.id}\n"


def test_publish_reads_standard_input(lobby, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\nlines\n"))
    with subscribe(lobby) as messages:
        websockets("publish", lobby, "-")
        assert messages.receive(PATIENCE).data == "two\nlines"


def test_json_that_breaks_off_is_refused_unless_it_is_meant_as_text(lobby):
    with pytest.raises(CommandError, match=r"Expected JSON or --text, found '\{\"a\": 1'"):
        websockets("publish", lobby, '{"a": 1')
    with subscribe(lobby) as messages:
        websockets("publish", lobby, '{"a": 1', "--text")
        assert messages.receive(PATIENCE).data == '{"a": 1'


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["two words", "1"], "expected a channel's name"),
        (["room", ""], "Expected DATA"),
        (["room", "1", "--ttl", "0"], "expected a ttl"),
        (["room", "1", "--history", "-1"], "expected a history"),
        (["django_websocket.user.7", "1"], "for the channel of a user, say --user"),
        (["room"], "the following arguments are required: DATA"),
    ],
)
def test_what_cannot_be_published_says_why(broker, arguments, problem):
    with pytest.raises(CommandError, match=problem):
        websockets("publish", *arguments)


def test_a_message_that_the_channel_does_not_keep(lobby):
    websockets("publish", lobby, "1", "--history", "0")
    kept = publish(lobby, 2)
    websockets("publish", lobby, "3", history=0)
    assert lines(lobby, "--since", "0", "--count", "1") == [f"{kept} {lobby} 2"]


def test_a_user_s_channel_by_name_or_by_key(lobby, ada):
    for name in ("ada", str(ada.pk)):
        published = websockets("publish", "--user", name, "1")[0].strip()
    seen = lines("ada", "--user", "--since", "0", "--timeout", "0.1")
    assert len(seen) == 2
    assert seen[1].split()[0] == published
    with pytest.raises(CommandError, match="a primary key, found 'bob'"):
        websockets("publish", "--user", "bob", "1")


# tail


def test_tail_shows_one_message_a_line_and_resumes(lobby):
    published = [publish(lobby, number) for number in range(3)]
    expected = [f"{each} {lobby} {number}" for number, each in enumerate(published)]
    assert lines(lobby, "--since", "0", "--count", "3") == expected
    assert lines(lobby, "--since", published[1], "--count", "1") == expected[2:]


def test_tail_says_what_is_gone_or_was_taken_back(lobby):
    first = publish(lobby, 1)
    publish(lobby, 2, history=0)
    publish(lobby, 3)
    gap, *_ = lines(lobby, "--since", first, "--count", "1")
    assert "(gap: the history no longer has" in gap
    notice = retract(lobby, first)
    assert lines(lobby, "--since", "0", "--timeout", "0.1")[-1] == (
        f"{notice} {lobby} (took back {first})"
    )
    clear(lobby)
    assert lines(lobby, "--since", "0", "--timeout", "0.1")[-1].endswith(
        "(the history was cleared)"
    )


def test_tail_that_gets_too_few_messages_fails(lobby):
    with pytest.raises(CommandError, match=r"No message for 0\.1 s"):
        websockets("tail", lobby, "--count", "1", "--timeout", "0.1")
    with pytest.raises(CommandError, match="Expected --since with the id"):
        websockets("tail", lobby, "--since", "yesterday")


@contextmanager
def shell(url, *arguments):
    """The command as a terminal runs it."""
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}", "REDIS_URL": url}
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "websockets", *arguments, "--settings=project.settings"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def error_line(process, text):
    """Waits for the line of standard error with this text."""
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"the command has ended without {text!r}")


def test_tail_survives_an_outage_and_ends_quietly(redis, lobby):
    with shell(redis.url, "tail", lobby) as process:
        assert error_line(process, "Following") == f"Following {lobby}. Ctrl-C ends.\n"
        first = publish(lobby, 1)
        assert process.stdout.readline() == f"{first} {lobby} 1\n"
        redis.cut_off()
        error_line(process, "The broker is away.")
        with closing(RedisBroker(redis.hidden_url)) as other:
            missed = other.publish(lobby, b"j2", 100, 60)
        redis.mend()
        error_line(process, "The broker is back.")
        assert process.stdout.readline() == f"{missed} {lobby} 2\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err  # the project's log may say more about the outage


def test_tail_ends_quietly_when_nobody_reads_any_more(redis, lobby):
    with shell(redis.url, "tail", lobby) as process:
        error_line(process, "Following")
        process.stdout.close()
        publish(lobby, 1)
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""


# who, kick


def test_who_counts_the_sockets_of_each_name(redis, lobby):
    out, err = websockets("who", lobby)
    assert out == ""
    assert err.startswith(f"Nobody is in {lobby}")
    with closing(RedisBroker(redis.url)) as other:
        other.announce(lobby, "p1", {"Grace Hopper": 2, "Ada": 1}, 60, None)
    assert websockets("who", lobby)[0] == "      1 Ada\n      2 Grace Hopper\n"


def test_kick_closes_a_user_s_sockets(broker, ada):
    client = WebSocketClient()
    client.force_login(ada)
    with client.connect("/echo/") as socket:
        socket.send("here")
        assert socket.receive() == "here"
        out, _ = websockets("kick", "ada", "--reason", "spam")
        assert socket.receive() is None
        assert (socket.close_code, socket.close_reason) == (4403, "spam")
    assert out.startswith("The sockets of ada close with 4403, in every process.")
    with pytest.raises(CommandError, match="1006"):
        websockets("kick", "ada", "--code", "1006")


# stats


def test_stats_are_those_of_redis_and_no_password_is_shown(redis, broker, settings):
    redis.call("ACL", "SETUSER", "shop", "on", ">secret", "~*", "&*", "+@all", "-pubsub|channels")
    with subscribe("followed"):
        out, _ = websockets("stats")
    assert "broker: unix:///tmp/redis-" in out
    assert re.search(r"^server: Redis \d\S+, master, up 0 days$", out, re.M)
    assert re.search(r"^memory: \S+ used, maxmemory not set, noeviction, 0 keys evicted", out, re.M)
    assert re.search(r"^channels: [1-9] with subscribers now", out, re.M)
    settings.WEBSOCKET_BROKER = redis.url.replace("unix://", "unix://shop:secret@")
    out, _ = websockets("stats")
    assert "secret" not in out
    assert re.search(r"^channels: unknown: .*pubsub\|channels", out, re.M)


# check


def test_check_needs_an_address_that_settings_may_have(settings):
    with pytest.raises(CommandError, match="Expected the address of a socket"):
        websockets("check")
    port = free_port()
    settings.WEBSOCKET_SERVER = f"ws://127.0.0.1:{port}"
    with pytest.raises(CommandError, match=rf"Port {port} of 127\.0\.0\.1 refuses connections"):
        websockets("check")
    with pytest.raises(CommandError, match="Expected --timeout of more than 0"):
        websockets("check", "--timeout", "0")


# The broker


def test_a_broker_that_is_away_is_one_line(broker, settings):
    settings.WEBSOCKET_BROKER = "unix:///nowhere/redis.sock"
    for arguments in (("publish", "room", "1"), ("who", "room"), ("tail", "room")):
        with pytest.raises(
            CommandError, match=r"[^.]\. Start the broker, or correct WEBSOCKET_BROKER"
        ):
            websockets(*arguments)


def test_memory_reaches_this_process_only(lobby, settings, monkeypatch):
    settings.WEBSOCKET_BROKER = "memory://"
    with subscribe(lobby) as messages:
        websockets("publish", lobby, "1")
        assert messages.receive(PATIENCE).data == 1
    monkeypatch.delattr(mail, "outbox")  # as outside of tests, in a process without sockets
    monkeypatch.setattr(health, "serves_sockets", False)
    with pytest.raises(CommandError, match="memory://, which stays within one process"):
        websockets("publish", lobby, "1")
