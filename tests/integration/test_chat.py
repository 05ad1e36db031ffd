"""The chat as its clients see it, through the whole stack."""

import itertools
import json
import signal
import socket
import urllib.request
from contextlib import ExitStack

import psutil
import pytest
import redis

from support.stack import wait_for
from support.visitors import Visitor, log_in, make_member

_numbers = itertools.count(1)


@pytest.fixture
def room():
    """A room that nobody has been in."""
    return f"room-{next(_numbers)}"


@pytest.fixture
def enter(stack, room):
    """Open sockets of the room, closed at the end."""
    with ExitStack() as sockets:

        def enter(name="Ada", room=room, **options):
            return sockets.enter_context(Visitor(stack, room, name, **options))

        yield enter


@pytest.fixture(scope="module")
def member(stack):
    """The name of a member, and the cookies of their browser."""
    make_member(stack, "Barbara")
    return "Barbara", log_in(stack, "Barbara")


@pytest.fixture
def broker(stack):
    with redis.Redis.from_url(f"unix://{stack.state}/run/redis.sock") as client:
        yield client


@pytest.fixture
def redis_process(stack, broker):
    """Redis, running again at the end, whatever the test did to it."""
    process = psutil.Process(broker.info("server")["process_id"])
    yield process
    if process.is_running():
        process.resume()


def page(stack, room):
    with urllib.request.urlopen(f"{stack.url}chat/{room}/", timeout=10) as response:
        return response.read().decode()


def test_everyone_in_the_room_hears_it(enter):
    ada, grace = enter("Ada"), enter("Grace Hopper")
    assert ada.history == grace.history == []
    number = ada.say("Hello", colour="#C0FFEE")
    heard = grace.hear("Hello")
    assert heard.pop("created")
    assert heard == {
        "id": number, "name": "Ada", "member": False, "colour": "#c0ffee", "text": "Hello",
    }  # fmt: skip
    grace.say("Good morning")
    assert ada.hear("Good morning")["name"] == "Grace Hopper"


def test_both_processes_share_a_room_and_each_holds_one_connection(enter, broker):
    visitors = [enter(f"Visitor {number}") for number in range(10)]

    def listeners():
        return [client for client in broker.client_list(_type="pubsub") if client["psub"] == "1"]

    assert len(wait_for(lambda: len(listeners()) >= 2 and listeners())) == 2
    for visitor in visitors:
        visitor.say(f"{id(visitor)} is here")
        for other in visitors:
            other.hear(f"{id(visitor)} is here")


def test_a_name_and_a_colour_may_change_at_any_time(enter):
    ada, other = enter("Ada"), enter("Other")
    ada.say("one")
    ada.say("two", name="Countess", colour="#800080")
    assert (other.hear("one")["name"], other.hear("two")["name"]) == ("Ada", "Countess")


def test_rooms_are_apart(enter, room):
    here, there = enter(), enter(room=f"{room}-elsewhere")
    here.say("only here")
    there.say("only there")
    assert there.next("message")["message"]["text"] == "only there"


def test_who_comes_later_reads_the_last_fifty(enter, stack, room):
    ada = enter()
    ids = [ada.say(f"Number {number}.") for number in range(52)]
    assert [message["id"] for message in enter().history] == ids[2:]
    assert "Number 51." in page(stack, room)
    assert "Number 1." not in page(stack, room)


def test_a_mistake_gets_an_answer_that_names_the_field(enter):
    ada, other = enter(), enter("Other")
    ada.send("Hello", name="", colour="red")
    errors = ada.next("error")["errors"]
    assert errors["name"] == ["Enter a name."]
    assert errors.keys() == {"name", "colour"}
    ada.say("mended", name="Ada", colour="#000000")
    assert other.next("message")["message"]["text"] == "mended"


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "",
        "[]",
        "null",
        '{"text": 5}',
        '{"name": ["Ada"], "colour": {}, "text": null}',
        '{"name": "Ada", "colour": "#000000", "text": "\\ud800"}',
        '{"name": "\\u0000", "colour": "#000000", "text": "\\u0007"}',
        json.dumps({"name": "Ada", "colour": "#000000", "text": "x" * 1001}),
        "[" * 10_000,
        "x" * 500_000,
        b"\x00\xff",
    ],
    ids=lambda message: repr(message[:30]),
)
def test_garbage_gets_an_answer_and_the_socket_lives_on(enter, message):
    visitor = enter()
    if isinstance(message, bytes):
        visitor.socket.send_binary(message)
    else:
        visitor.socket.send(message)
    assert visitor.next("error")["errors"]
    assert visitor.say("still here")


def test_a_flood_is_answered_in_order(enter):
    visitor = enter()
    for number in range(300):
        visitor.send(f"Number {number}", name="" if number % 3 else "Ada")
    for number in range(300):
        assert visitor.answer() == ("error" if number % 3 else "sent")


def test_a_members_name_is_theirs(enter, member):
    name, cookie = member
    barbara, visitor = enter("Somebody else", cookie=cookie), enter("Ada")
    barbara.say("It is me")
    heard = visitor.hear("It is me")
    assert (heard["name"], heard["member"]) == ("Barbara", True)
    visitor.send("No, me", name=name.upper())
    assert "belongs to a member" in visitor.next("error")["errors"]["name"][0]


def test_a_redis_that_hangs(enter, stack, room, redis_process):
    ada, other = enter(), enter("Other")
    ada.say("before")
    redis_process.suspend()
    ada.send("meanwhile")
    assert "Not sent" in ada.next("error")["errors"]["__all__"][0]
    assert "before" in page(stack, room)
    assert enter("Newcomer").history[0]["text"] == "before"
    redis_process.resume()
    ada.say("afterwards")
    other.hear("afterwards")


def test_a_redis_that_dies(enter, redis_process):
    visitors = [enter(f"Visitor {number}") for number in range(4)]
    visitors[0].say("before")
    for visitor in visitors:
        visitor.hear("before")
    redis_process.send_signal(signal.SIGKILL)
    for visitor in visitors:
        visitor.next("history")  # what was missed while Redis was away would be in it
    visitors[0].say("afterwards")
    for visitor in visitors[1:]:
        visitor.hear("afterwards")


def test_a_client_that_does_not_read_stalls_nobody(enter, stack):
    slow = enter("Slow", sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    talker, listener = enter("Talker"), enter("Listener")
    for number in itertools.count():
        talker.say("\N{GRINNING FACE}" * 990 + str(number))
        heard = listener.next("message")["message"]["text"]
        assert heard.endswith(f"\N{GRINNING FACE}{number}")
        if any("reads too slowly" in stack.log(f"websocket-{n}") for n in (1, 2)):
            break
        assert number < 3000, "the slow client was never closed"
    assert slow.socket.connected
