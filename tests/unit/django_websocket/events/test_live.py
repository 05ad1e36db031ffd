"""Events on a live worker, with an independent client."""

import itertools
import json

import pytest

from support.server import OUR_WORKER, STOCK_WORKER, serve

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    env = {"EVENTS_DATABASE": str(folder / "db.sqlite3")}
    with serve("support.events.live:application", OUR_WORKER, folder / "log", env) as server:
        yield server


@pytest.fixture
def path(request):
    return f"/relay/room-{next(_numbers)}/"


def ask(client, event, **fields):
    client.send(json.dumps({"type": "ws.request", "id": "a", "data": {"type": event, **fields}}))


def replied(client):
    while (message := json.loads(client.recv())).get("type") != "ws.reply":
        pass
    return message


def seen(client):
    while "channel" not in (message := json.loads(client.recv())):
        pass
    return message["data"]


def test_events_and_messages_each_in_their_order(server, path):
    one, other = server.connect(path), server.connect(path)
    ask(other, "ask")
    replied(other)  # so it has subscribed
    for number in range(300):
        ask(one, "say", text=number)
    received = [json.loads(one.recv()) for _ in range(600)]
    answers = [message["data"] for message in received if "channel" not in message]
    assert answers == [*range(300)]
    relayed = [message["data"]["seen"] for message in received if "channel" in message]
    assert relayed == [*range(300)]
    assert [seen(other)["seen"] for _ in range(300)] == relayed


def test_what_follows_the_yield_runs_when_the_client_has_left(server, path):
    one, other = server.connect(path), server.connect(path)
    for client in (one, other):
        ask(client, "ask")
        replied(client)
    one.close()
    assert seen(other) == {"seen": "bye"}


@pytest.mark.parametrize("kind", ["/plain/", None])
def test_a_socket_holds_no_database_connection_between_two_events(server, path, kind):
    client = server.connect(kind or path)
    counts = []
    for _ in range(3):
        ask(client, "ask")
        counts.append(replied(client)["data"]["connections"])
    assert counts == [counts[0], counts[0] + 1, counts[0] + 2]


def test_nor_between_two_messages(server, path):
    client = server.connect(path)
    ask(client, "ask")
    before = replied(client)["data"]["connections"]
    for _ in range(2):
        ask(client, "say", text="query")
        assert seen(client) == {"seen": "query"}
    ask(client, "ask")
    assert replied(client)["data"]["connections"] == before + 3


def test_a_bug_is_in_the_log_and_its_socket_lives_on(server, path):
    client = server.connect(path)
    ask(client, "ask")
    before = replied(client)["data"]["exceptions"]
    ask(client, "fail")
    assert replied(client)["error"]["code"] == "internal"
    server.wait_for_log("RuntimeError: the secret of the handler")
    assert f"Internal Server Error: {path}, fail" in server.log
    ask(client, "ask")
    assert replied(client)["data"]["exceptions"] == before + 1


def test_a_client_chooses_its_channels_in_a_project_without_users(server, path):
    client = server.connect("/chooser/")
    ask(client, "ws.subscribe", channel="secret")
    assert replied(client)["error"]["code"] == "forbidden"
    name = f"relay.{path.split('/')[2]}"
    ask(client, "ws.subscribe", channel=name)
    assert replied(client)["data"]["channel"] == name
    server.connect(path).close()
    assert seen(client) == "bye"


def test_on_gevent_websocket_s_own_worker_events_work_and_channels_say_what_they_need(tmp_path):
    env = {"EVENTS_DATABASE": str(tmp_path / "db.sqlite3")}
    with serve("support.events.live:application", STOCK_WORKER, tmp_path / "log", env) as server:
        client = server.connect("/plain/")
        for event, key in (("ask", "data"), ("nothing", "error")):
            ask(client, event)
            assert key in replied(client)
        server.connect("/relay/room/")
        server.wait_for_log("published() needs django_websocket.worker.WebSocketWorker")
