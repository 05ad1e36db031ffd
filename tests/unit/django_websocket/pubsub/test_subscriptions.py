"""On live workers, with an independent client."""

import contextlib
import json
import os
import socket

import pytest
import websocket
from websockets.sync.client import connect

from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.message import pack
from support.redis import redis_server
from support.server import OUR_WORKER, PATIENCE, STOCK_WORKER, serve, wait_for

APPLICATION = "support.channels.wsgi:websocket"


@contextlib.contextmanager
def worker(tmp_path, url, kind=OUR_WORKER, **env):
    log = tmp_path / f"worker-{os.urandom(4).hex()}.log"
    with serve(APPLICATION, kind, log, {"CHANNELS_BROKER": url, **env}) as server:
        yield server


@pytest.fixture(scope="module")
def redis():
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def broker(redis):
    broker = RedisBroker(redis.url)
    yield broker
    broker.close()


@pytest.fixture(scope="module", params=["memory", "redis"])
def server(request, redis, tmp_path_factory):
    url = redis.url if request.param == "redis" else "memory://"
    with worker(tmp_path_factory.mktemp("worker"), url) as server:
        yield server


@pytest.fixture(scope="module")
def redis_worker(redis, tmp_path_factory):
    # Who is closed for not reading reads the close frame only when all else has been published.
    patient = {"CHANNELS_CLOSE_TIMEOUT": f"{PATIENCE}"}
    with worker(tmp_path_factory.mktemp("worker"), redis.url, **patient) as server:
        yield server


@pytest.fixture
def room(request):
    return f"room-{request.node.name.replace('[', '-').replace(']', '')}"


def subscribe(server, room, **options):
    """A client whose subscription stands, and the position that it has got."""
    query = "&".join(f"{key}={value}" for key, value in options.items())
    client = server.connect(f"/channel/{room}/?{query}")
    messages = []
    while "position" not in (message := json.loads(client.recv())):
        messages.append(message)
    return client, message["position"], messages


def data(client, count):
    return [json.loads(client.recv())["data"] for _ in range(count)]


def facts(server):
    client = server.connect("/facts/")
    return json.loads(client.recv())


def test_what_one_client_says_all_get(server, room):
    clients = [subscribe(server, room)[0] for _ in range(5)]
    clients[0].send("hello")
    for client in clients:
        message = json.loads(client.recv())
        assert (message["channel"], message["data"]) == (room, "hello")


def test_a_client_that_comes_back_gets_what_it_missed(server, room):
    first, _, _ = subscribe(server, room)
    first.send("0")
    last = json.loads(first.recv())["id"]
    other, _, _ = subscribe(server, room)
    first.close()
    for number in range(1, 4):
        other.send(str(number))
    data(other, 3)
    again, position, missed = subscribe(server, room, since=last)
    assert [message["data"] for message in missed] == ["1", "2", "3"]
    assert position == missed[-1]["id"]
    other.send("4")
    assert data(again, 1) == ["4"]


def test_a_client_that_saw_nothing_can_come_back_too(server, room):
    _, position, _ = subscribe(server, room)
    other, _, _ = subscribe(server, room)
    other.send("0")
    data(other, 1)
    assert [message["data"] for message in subscribe(server, room, since=position)[2]] == ["0"]


def test_a_made_up_id_is_answered_with_a_gap(server, room):
    client, _, _ = subscribe(server, room)
    client.send("0")
    data(client, 1)
    _, _, missed = subscribe(server, room, since="made+up")
    assert [message.get("gap", False) for message in missed] == [True, False]


def test_unsubscribe(server, room):
    client, _, _ = subscribe(server, room)
    other, _, _ = subscribe(server, room)
    client.send("unsubscribe")
    assert client.recv() == "unsubscribed"
    other.send("hello")
    data(other, 1)
    client.settimeout(0.2)
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.recv()


def test_a_message_is_encoded_once_for_all_sockets(server, room):
    clients = [subscribe(server, room, encode="note")[0] for _ in range(20)]
    before = len(facts(server)["encoded"])
    clients[0].send("hello")
    for client in clients:
        assert client.recv() == "hello"
    assert len(facts(server)["encoded"]) == before + 1


def test_a_message_is_encoded_once_for_those_who_come_back(server, room):
    client, start, _ = subscribe(server, room)
    client.send("hello")
    data(client, 1)
    before = len(facts(server)["encoded"])
    for _ in range(5):
        late = server.connect(f"/channel/{room}/?since={start}&encode=note")
        assert late.recv() == "hello"
    assert len(facts(server)["encoded"]) == before + 1


def test_an_encoding_that_fails_costs_one_message_and_is_logged(server, room):
    broken, _, _ = subscribe(server, room, encode="fail")
    client, _, _ = subscribe(server, room)
    client.send("hello")
    assert data(client, 1) == ["hello"]
    server.wait_for_log("this encoding never works")
    broken.ping()
    assert broken.connected


def test_a_view_reads_a_channel_itself(server, room):
    reader = server.connect(f"/reader/{room}/")
    assert reader.recv() == "reading"
    client, _, _ = subscribe(server, room)
    client.send("hello")
    assert reader.recv().endswith(" hello")


def test_bytes_go_out_as_binary(redis_worker, broker, room):
    client, _, _ = subscribe(redis_worker, room)
    broker.publish(room, pack(b"\x00\xff"), 10, 60)
    assert client.recv_data() == (websocket.ABNF.OPCODE_BINARY, b"\x00\xff")


def test_those_who_take_compressed_frames_get_them(redis, tmp_path, broker, room):
    with worker(tmp_path, redis.url, CHANNELS_COMPRESSION="1") as server:
        plain, _, _ = subscribe(server, room)
        with connect(server.url(f"/channel/{room}/"), compression="deflate") as compressed:
            compressed.recv(5)
            broker.publish(room, pack("x" * 1000), 10, 60)
            assert data(plain, 1) == ["x" * 1000]
            assert json.loads(compressed.recv(5))["data"] == "x" * 1000


def test_however_many_sockets_there_are_one_connection_listens(tmp_path):
    with redis_server() as own, worker(tmp_path, own.url) as server:
        for number in range(50):
            subscribe(server, f"room{number % 10}")
        assert own.listeners() == 1


def test_a_socket_that_has_ended_is_forgotten(tmp_path):
    with redis_server() as own, worker(tmp_path, own.url) as server:
        client, _, _ = subscribe(server, "room")
        name = "websocket:{room}"
        assert own.call("PUBSUB", "NUMSUB", name) == [name, 1]
        client.close()
        wait_for(lambda: own.call("PUBSUB", "NUMSUB", name) == [name, 0], "the end")


def stuck(server, room, **options):
    """A client that does not read. Of what is sent, the kernel keeps little for it."""
    client, _, _ = subscribe(server, room, **options)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
    return client


def flood(server, broker, room, count=60):
    """Publish more than anyone buffers, while another client reads it at once."""
    quick, _, _ = subscribe(server, room)
    for number in range(count):
        broker.publish(room, pack(f"{number % 2}-{number}-" + "x" * 100_000), 10, 60)
        assert json.loads(quick.recv())["data"].startswith(f"{number % 2}-{number}-")


def everything(client):
    """What a client gets that begins to read: the numbers of the messages, and the close code."""
    numbers = []
    while True:
        opcode, content = client.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return numbers, int.from_bytes(content[:2], "big")
        message = json.loads(content)
        if "data" in message and message["data"] == "end":
            return numbers, None
        if "data" in message:
            numbers.append(int(message["data"].split("-")[1]))


def test_a_client_that_does_not_read_is_closed_and_delays_nobody(redis_worker, broker, room):
    slow = stuck(redis_worker, room)
    before = facts(redis_worker)["slow_clients_closed"]
    flood(redis_worker, broker, room)
    numbers, code = everything(slow)
    assert code == 1013
    assert numbers == list(range(len(numbers)))
    assert facts(redis_worker)["slow_clients_closed"] == before + 1


def test_drop_oldest_keeps_the_newest(redis_worker, broker, room):
    slow = stuck(redis_worker, room, policy="drop_oldest")
    before = facts(redis_worker)["broadcasts_dropped"]
    flood(redis_worker, broker, room)
    broker.publish(room, pack("end"), 10, 60)
    numbers, code = everything(slow)
    assert code is None
    assert numbers == sorted(numbers)
    assert numbers[-1] == 59
    assert facts(redis_worker)["broadcasts_dropped"] - before == 60 - len(numbers) > 0


@pytest.mark.parametrize(("options", "kept"), [({}, [59]), ({"key": "first_letter"}, [58, 59])])
def test_latest_keeps_one_for_each_key(redis_worker, broker, room, options, kept):
    slow = stuck(redis_worker, room, policy="latest", **options)
    before = facts(redis_worker)["broadcasts_replaced"]
    flood(redis_worker, broker, room)
    numbers = []
    while 59 not in numbers:
        numbers.append(int(data(slow, 1)[0].split("-")[1]))
    assert numbers[-len(kept) :] == kept
    assert numbers[-len(kept) - 1] < 50
    assert facts(redis_worker)["broadcasts_replaced"] - before == 60 - len(numbers)


def test_a_wrong_policy_is_the_view_s_error(redis_worker, room):
    client = redis_worker.connect(f"/channel/{room}/?policy=never")
    assert client.recv_data()[1][:2] == (1011).to_bytes(2, "big")


def test_without_a_broker_a_socket_is_told_to_come_back_later(tmp_path):
    with worker(tmp_path, f"unix://{tmp_path}/nobody.sock") as server:
        client = server.connect("/channel/room/")
        assert client.recv_data()[1][:2] == (1013).to_bytes(2, "big")
        server.wait_for_log("Closing /channel/room/: the broker does not answer")


def test_the_stock_worker_says_what_it_needs(tmp_path):
    with worker(tmp_path, "memory://", STOCK_WORKER) as server:
        server.connect("/channel/room/")
        server.wait_for_log("subscribe() needs django_websocket.worker.WebSocketWorker")


def test_a_view_on_the_stock_worker_reads_a_channel_itself(redis, tmp_path, broker, room):
    with worker(tmp_path, redis.url, STOCK_WORKER) as server:
        reader = server.connect(f"/reader/{room}/")
        assert reader.recv() == "reading"
        broker.publish(room, pack("hello"), 10, 60)
        assert reader.recv().endswith(" hello")
