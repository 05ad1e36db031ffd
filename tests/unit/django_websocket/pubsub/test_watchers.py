"""On live workers, with independent clients: two processes on one Redis."""

import contextlib
import json
import os
import signal
import time

import psutil
import pytest
import websocket

from django_websocket.pubsub import presence
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.test import WebSocketClient
from support.server import OUR_WORKER, PATIENCE, STOCK_WORKER, serve, wait_for

APPLICATION = "support.channels.wsgi:websocket"

#: Seconds that a dead process is believed here.
TTL = 1.5


@contextlib.contextmanager
def worker(tmp_path, url, kind=OUR_WORKER, ttl=TTL, linger=0.0, **env):
    log = tmp_path / f"worker-{os.urandom(4).hex()}.log"
    env |= {"CHANNELS_BROKER": url, "CHANNELS_PRESENCE_TTL": f"{ttl}"}
    env["CHANNELS_PRESENCE_LINGER"] = f"{linger}"
    with serve(APPLICATION, kind, log, env) as server:
        yield server


@pytest.fixture
def workers(redis, tmp_path):
    with worker(tmp_path, redis.url) as one, worker(tmp_path, redis.url) as other:
        yield one, other


class Guest:
    """A client that knows who is in the room, by what it has been told.

    ``repeats``: a list may be followed by changes that it knows already, as after lost changes.
    """

    def __init__(self, server, name=None, repeats=False):
        self.client = server.connect("/room/room/")
        self._repeats = repeats
        self.told = []
        self.there = None
        self.read()
        if name is not None:
            self.say(name)

    def say(self, text):
        self.client.send(text)
        while self.read() != "done":
            pass

    def read(self, timeout=PATIENCE):
        self.client.settimeout(timeout)
        text = self.client.recv()
        if text in ("", "done"):
            return text
        message = json.loads(text)
        assert message["channel"] == "room"
        assert "id" not in message
        if "present" in message:
            self.there = set(message["present"])
        else:
            # Nobody comes who is there, or goes who is not.
            assert self._repeats or self.there.isdisjoint(message["joined"])
            assert self._repeats or self.there.issuperset(message["left"])
            self.there = (self.there - set(message["left"])) | set(message["joined"])
        self.told.append(message)
        return message

    def sees(self, *names):
        while self.there != set(names):
            self.read()
        return True

    def hears_nothing(self, seconds):
        with pytest.raises(websocket.WebSocketTimeoutException):
            self.read(seconds)
        return True


def kill_worker(server):
    """SIGKILL the process that has the sockets."""
    os.kill(psutil.Process(server.pid).children()[0].pid, signal.SIGKILL)


def test_everyone_is_told_who_is_there_and_who_comes_and_goes(workers):
    one, other = workers
    ada = Guest(one, "Ada")
    grace = Guest(other, "Grace")
    assert grace.told[0] == {"channel": "room", "present": ["Ada"]}
    assert ada.sees("Ada", "Grace")
    assert ada.told[-1] == {"channel": "room", "joined": ["Grace"], "left": []}
    grace.say("Rear Admiral")
    assert ada.sees("Ada", "Rear Admiral")
    assert ada.told[-1] == {"channel": "room", "joined": ["Rear Admiral"], "left": ["Grace"]}
    grace.say("")
    assert ada.sees("Ada")
    assert grace.sees("Ada")
    ada.client.close()
    assert grace.sees()


def test_the_people_of_a_killed_process_vanish_and_those_of_the_others_are_told(workers):
    one, other = workers
    witness = Guest(one, "Witness")
    doomed = [Guest(other, name) for name in ("Ada", "Grace", "Witness")]
    assert witness.sees("Witness", "Ada", "Grace")
    killed = time.monotonic()
    kill_worker(other)
    assert witness.sees("Witness")
    assert witness.told[-1] == {"channel": "room", "joined": [], "left": ["Ada", "Grace"]}
    # It was believed for TTL after its last word; the others look three times in that time.
    assert TTL * 2 / 3 - 0.1 < time.monotonic() - killed < TTL * 4 / 3 + 1
    assert Guest(one).there == {"Witness"}
    assert all(guest.client.connected for guest in doomed)  # they have not left by themselves


def test_who_reloads_the_page_has_never_been_away(redis, tmp_path):
    with worker(tmp_path, redis.url, linger=2) as one, worker(tmp_path, redis.url) as other:
        witness, ada = Guest(other), Guest(one, "Ada")
        assert witness.sees("Ada")
        ada.client.close()
        again = Guest(other, "Ada")
        assert witness.hears_nothing(3)
        again.client.close()
        assert witness.sees()


def test_a_worker_that_ends_says_so(redis, tmp_path):
    with worker(tmp_path, redis.url) as one:
        witness = Guest(one)
        with worker(tmp_path, redis.url, ttl=600, linger=600) as other:
            guests = [Guest(other, f"guest {number}") for number in range(20)]
            assert witness.sees(*(f"guest {number}" for number in range(20)))
        assert witness.sees()
        assert guests


def test_many_who_come_at_once_are_all_told_the_same(workers):
    witness = Guest(workers[0])
    clients = [workers[number % 2].connect("/room/room/") for number in range(60)]
    for number, client in enumerate(clients):
        client.send(f"guest {number}")
    names = {f"guest {number}" for number in range(60)}
    assert witness.sees(*names)
    assert Guest(workers[1]).sees(*names)
    for client in clients:
        client.close()
    assert witness.sees()


def test_an_outage_that_is_longer_than_the_time_leaves_no_ghosts(redis, workers):
    one, other = workers
    ada, grace = Guest(one, "Ada"), Guest(other, "Grace")
    assert ada.sees("Ada", "Grace")
    redis.cut_off()
    grace.client.close()
    with contextlib.closing(RedisBroker(redis.hidden_url)) as inside:
        wait_for(lambda: not inside.roster("room").people, "the time to pass")
    redis.mend()
    newcomer = wait_for(lambda: try_to_enter(other, "Linus"), "Redis to be back")
    assert ada.sees("Ada", "Linus")
    assert newcomer.sees("Ada", "Linus")


def test_a_redis_without_its_data_leaves_no_ghosts(redis, workers):
    one, other = workers
    ada, grace = Guest(one, "Ada", repeats=True), Guest(other, "Grace")
    assert ada.sees("Ada", "Grace")
    redis.kill()
    redis.forget()
    grace.client.close()
    redis.start()
    assert ada.sees("Ada")
    newcomer = wait_for(lambda: try_to_enter(other, "Linus"), "Redis to be back")
    assert ada.sees("Ada", "Linus")
    assert newcomer.sees("Ada", "Linus")


def try_to_enter(server, name):
    """A guest, unless Redis is still away: then the socket closes with 1013."""
    try:
        return Guest(server, name, repeats=True)
    except (websocket.WebSocketException, OSError, ValueError):
        return None


def test_changes_that_are_missing_are_made_up_for_by_the_list(redis, workers):
    ada = Guest(workers[0], "Ada", repeats=True)
    with contextlib.closing(RedisBroker(redis.url)) as broker:
        broker.announce("room", "other", {"Grace": 1}, 60, None)
        assert ada.sees("Ada", "Grace")
        # The worker is cut off while Grace leaves, and nothing of that is kept.
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")
        broker.announce("room", "other", {}, 60, None)
        redis.call("DEL", "websocket:{room}:presence:history")
        assert ada.sees("Ada")


def test_who_watches_no_longer_is_told_nothing(workers):
    ada, grace = (Guest(server) for server in workers)
    ada.say("unwatch")
    grace.say("Grace")
    assert grace.sees("Grace")
    assert ada.hears_nothing(0.3)


def test_a_socket_that_has_ended_is_forgotten(redis, workers):
    guest = Guest(workers[0], "Ada")
    name = "websocket:{room}:presence"
    assert redis.call("PUBSUB", "NUMSUB", name) == [name, 1]
    guest.client.close()
    wait_for(lambda: redis.call("PUBSUB", "NUMSUB", name) == [name, 0], "the end")
    wait_for(lambda: not redis.call("EXISTS", f"{name}:processes"), "the people to go")


def test_without_a_broker_a_socket_is_told_to_come_back_later(redis, workers):
    ada = Guest(workers[0])
    redis.cut_off()
    ada.client.send("Ada")
    while (frame := ada.client.recv_data())[0] != websocket.ABNF.OPCODE_CLOSE:
        pass
    assert frame[1][:2] == (1013).to_bytes(2, "big")
    redis.mend()


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "\x00"])
def test_a_wrong_name_is_the_view_s_error(workers, name):
    guest = Guest(workers[0])
    guest.client.send(name)
    assert guest.client.recv_data()[1][:2] == (1011).to_bytes(2, "big")
    workers[0].wait_for_log("expected a name of 1 to 200 characters without control characters")


@pytest.mark.django_db
def test_a_user_s_name_is_the_primary_key_unless_the_view_gives_one(settings, django_user_model):
    settings.WEBSOCKET_URLCONF, settings.WEBSOCKET_BROKER = "support.channels.urls", "memory://"
    settings.WEBSOCKET_PRESENCE_LINGER = 0
    client, user = WebSocketClient(), django_user_model.objects.create_user("Ada")
    client.force_login(user)
    with client.connect("/room/room/") as socket:
        socket.send("myself")
        assert socket.receive_json() == {"channel": "room", "present": []}
        told = {socket.receive(), socket.receive()} - {"done"}  # which of them is first is open
        assert [json.loads(message)["joined"] for message in told] == [[str(user.pk)]]
        assert presence("room") == {str(user.pk): 1}
    assert presence("room") == {}
    client.logout()
    anonymous = client.connect("/room/room/")
    anonymous.send("myself")
    with pytest.raises(ValueError, match="nobody is logged in"):
        anonymous.close()


def test_the_stock_worker_says_what_it_needs(tmp_path):
    with worker(tmp_path, "memory://", STOCK_WORKER) as server:
        server.connect("/room/room/")
        server.wait_for_log("watch() needs django_websocket.worker.WebSocketWorker")
