"""The chat as its clients see it, through the whole stack. It needs our worker: it subscribes."""

import itertools
import json
import random
import signal
import socket
import urllib.request
from contextlib import ExitStack

import psutil
import pytest
import redis
import websocket

from chat.channels import channel
from django_websocket.pubsub import publish
from support.stack import OUR_WORKER, PATIENCE, WORKER, needs_our_worker, wait_for
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


def page(stack, room, path=""):
    with urllib.request.urlopen(f"{stack.url}chat/{room}/{path}", timeout=PATIENCE) as response:
        return response.read().decode()


@pytest.mark.skipif(WORKER == OUR_WORKER, reason="our worker can do it")
def test_another_worker_says_what_it_lacks(stack, enter, room):
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        enter().read()
    sentence = "subscribe() needs django_websocket.worker.WebSocketWorker"
    wait_for(lambda: any(sentence in stack.log(f"websocket-{n}") for n in (1, 2)))


@needs_our_worker
def test_everyone_in_the_room_hears_it(enter):
    ada, grace = enter("Ada"), enter("Grace Hopper")
    number = ada.say("Hello", colour="#C0FFEE")
    heard = grace.hear("Hello")
    assert heard.pop("created")
    assert heard == {
        "id": number, "name": "Ada", "member": False, "colour": "#c0ffee", "text": "Hello",
        "edited": False,
    }  # fmt: skip
    grace.say("Good morning")
    assert ada.hear("Good morning")["name"] == "Grace Hopper"


@needs_our_worker
def test_both_processes_share_a_room_and_each_holds_one_connection(enter, broker):
    visitors = [enter(f"Visitor {number}") for number in range(10)]

    def listeners():
        clients = broker.client_list(_type="pubsub")
        return [client for client in clients if int(client["sub"]) + int(client["ssub"])]

    assert len(wait_for(lambda: len(listeners()) >= 2 and listeners())) == 2
    for visitor in visitors:
        visitor.say(f"{id(visitor)} is here")
        for other in visitors:
            other.hear(f"{id(visitor)} is here")


@needs_our_worker
def test_a_name_and_a_colour_may_change_at_any_time(enter):
    ada, other = enter("Ada"), enter("Other")
    ada.say("one")
    ada.say("two", name="Countess", colour="#800080")
    assert (other.hear("one")["name"], other.hear("two")["name"]) == ("Ada", "Countess")


@needs_our_worker
def test_rooms_are_apart(enter, room):
    here, there = enter(), enter(room=f"{room}-elsewhere")
    here.say("only here")
    there.say("only there")
    assert there.next()["text"] == "only there"


@needs_our_worker
def test_who_comes_later_reads_the_last_fifty_and_pages_back(enter, stack, room):
    ada = enter()
    ids = [ada.say(f"Number {number}.") for number in range(52)]
    assert "Number 51." in page(stack, room)
    assert "Number 1." not in page(stack, room)
    latest = json.loads(page(stack, room, "messages/"))
    assert [message["id"] for message in latest["messages"]] == ids[2:]
    earlier = json.loads(page(stack, room, f"messages/?before={ids[2]}"))
    assert [message["id"] for message in earlier["messages"]] == ids[:2]
    assert (latest["more"], earlier["more"]) == (True, False)


@needs_our_worker
def test_who_comes_back_gets_what_was_missed(enter, room):
    ada, other = enter("Ada"), enter("Other")
    ada.say("one")
    other.hear("one")
    other.socket.shutdown()
    missed = [ada.say(f"Number {number}.") for number in range(5)]
    again = enter("Other", since=other.since)
    assert [again.next()["id"] for _ in missed] == missed
    ada.say("live")
    assert again.next()["text"] == "live"


@needs_our_worker
def test_more_was_missed_than_is_kept(enter):
    ada, other = enter("Ada"), enter("Other")
    ada.say("long ago")
    other.hear("long ago")
    for number in range(400):
        ada.send(f"Number {number}.")
    for _ in range(400):
        ada.answer()
    assert enter("Other", since=other.since).next()["gap"] is True


@needs_our_worker
def test_what_is_said_again_is_heard_once_more_but_stored_once(enter, stack, room):
    ada, other = enter("Ada"), enter("Other")
    key = f"{random.getrandbits(128):032x}"
    assert ada.say("Hello", key=key) == ada.say("Hello", key=key)
    assert other.next() == other.next()  # with one id, by which a page knows it
    assert len(json.loads(page(stack, room, "messages/"))["messages"]) == 1


@needs_our_worker
def test_a_mistake_gets_an_answer_that_names_the_field(enter):
    ada, other = enter(), enter("Other")
    ada.send("Hello", name="", colour="red")
    errors = ada.answer()["error"]["fields"]
    assert errors["name"] == ["Enter a name."]
    assert errors.keys() == {"name", "colour"}
    ada.say("mended", name="Ada", colour="#000000")
    assert other.next()["text"] == "mended"


@needs_our_worker
@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "",
        "[]",
        "null",
        '{"type": "say", "text": 5}',
        '{"type": "say", "name": ["Ada"], "colour": {}, "text": null}',
        '{"type": "say", "name": "Ada", "colour": "#000000", "text": "\\ud800"}',
        '{"type": "say", "name": "\\u0000", "colour": "#000000", "text": "\\u0007"}',
        json.dumps({"type": "say", "name": "Ada", "colour": "#000000", "text": "x" * 1001}),
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
    assert visitor.answer()["error"]["message"]
    assert visitor.say("still here")


@needs_our_worker
def test_a_flood_is_answered_in_order(enter):
    visitor = enter()
    for number in range(300):
        visitor.send(f"Number {number}", name="" if number % 3 else "Ada")
    for number in range(300):
        assert ("error" in visitor.answer()) == bool(number % 3)


@needs_our_worker
def test_a_members_name_is_theirs(enter, member):
    name, cookie = member
    barbara, visitor = enter("Somebody else", cookie=cookie), enter("Ada")
    barbara.say("It is me")
    heard = visitor.hear("It is me")
    assert (heard["name"], heard["member"]) == ("Barbara", True)
    visitor.send("No, me", name=name.upper())
    assert "belongs to a member" in visitor.answer()["error"]["fields"]["name"][0]


@needs_our_worker
def test_a_redis_that_hangs(enter, stack, room, redis_process):
    ada, other = enter(), enter("Other")
    ada.say("before")
    other.hear("before")  # so its channels are joined
    redis_process.suspend()
    ada.send("meanwhile", key="0" * 32)
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        ada.answer()
    assert "before" in page(stack, room)
    redis_process.resume()
    again = enter(since=ada.since)
    again.say("meanwhile", key="0" * 32)
    assert other.hear("meanwhile") == again.hear("meanwhile")


@needs_our_worker
def test_a_redis_that_dies(enter, redis_process):
    visitors = [enter(f"Visitor {number}") for number in range(4)]
    visitors[0].say("before")
    for visitor in visitors:
        visitor.hear("before")
    redis_process.send_signal(signal.SIGKILL)
    wait_for(lambda: says_afterwards(enter))
    for visitor in visitors:
        assert visitor.next()["text"] == "afterwards"
    assert enter(since="0").next()["text"] == "before"


def says_afterwards(enter):
    """One try of somebody who comes in while Redis may be away."""
    try:
        return enter("Late").say("afterwards", key="0" * 32)
    except (websocket.WebSocketException, OSError):
        return None


@needs_our_worker
def test_a_client_that_does_not_read_stalls_nobody(enter, stack, room, settings):
    settings.WEBSOCKET_BROKER = f"unix://{stack.state}/run/redis.sock"
    slow = enter("Slow", sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    listener = enter("Listener")
    for visitor, text in ((slow, "Slow is here"), (listener, "Listener is here")):
        visitor.send(text)
        visitor.hear(text)  # who hears the room has subscribed
    for number in range(64):
        publish(channel(room), {"text": f"{number} {'x' * 256 * 1024}"}, history=0)
        assert listener.next()["text"].startswith(f"{number} ")
    listener.send("still here")
    assert listener.next()["text"] == "still here"
    with pytest.raises((websocket.WebSocketConnectionClosedException, OSError)):
        slow.hear("still here")
