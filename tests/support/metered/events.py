"""What happens, and how that moves which metrics.

Each event is a generator, which says how far metrics are from where they were in the beginning, or
at the last bare yield. A function says whether an amount is right.
"""

from __future__ import annotations

import json
import socket

from django_websocket.application.observers import SAMPLED
from django_websocket.pubsub.brokers.redis import RedisBroker
from support.metered import Asking, scraped
from support.server import PATIENCE, wait_for

#: Bytes of a message, and how many of them no kernel takes for a client that does not read.
SIZE, MANY = 8_000, 1_000


def slow_client(server):
    """A socket whose client reads nothing until it is asked to, and whose kernel keeps little."""
    return Asking(server, sockopt=((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),))


def left_for(client):
    """The texts that are on their way to a client, up to the text "end"."""
    texts = []
    while texts[-1:] != ["end"]:
        text = client.recv()
        texts.append(json.loads(text)["data"] if text.startswith("{") else text)
    return texts[:-1]


def several(amount):
    return amount >= 1


def open_and_close(server):
    client = server.connect("/acts/")
    yield {
        'websocket_sockets{state="open"}': 1,
        'websocket_handshakes_total{route="acts/",status="101"}': 1,
        'websocket_handshake_duration_seconds_count{route="acts/"}': 1,
    }
    client.close(4001)
    yield {'websocket_closes_total{code="4001"}': 1, 'websocket_sockets{state="open"}': 0}


def close_without_an_answer(server):
    client = Asking(server)
    client.send("close", 4002)
    yield {'websocket_sockets{state="closing"}': 1, 'websocket_sockets{state="open"}': 0}
    client.client.shutdown()
    yield {'websocket_sockets{state="closing"}': 0, 'websocket_closes_total{code="4002"}': 1}


def leave_while_the_view_works(server):
    client, other = Asking(server), Asking(server)
    other("hold")
    client.send("wait")
    client.client.shutdown()
    yield {'websocket_sockets{state="ended"}': 1}
    other("release")
    yield {'websocket_sockets{state="ended"}': 0}


def wait_for_an_answer(server):
    client = Asking(server)
    client("hold")
    with raw_handshake(server, "/dawdles/") as waiting:
        yield {'websocket_sockets{state="waiting"}': 1}
        client("release")
        assert waiting.recv(12) == b"HTTP/1.1 403"
    yield {
        'websocket_sockets{state="waiting"}': 0,
        'websocket_handshakes_total{route="dawdles/",status="403"}': 1,
        'websocket_handshake_duration_seconds_count{route="dawdles/"}': 1,
    }


def raw_handshake(server, path):
    connection = socket.create_connection(server.address, timeout=PATIENCE)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return connection


def refuse(server):
    for number in range(3):
        assert server.handshake(f"/forbidden/{number}/").status == 403
    yield {'websocket_handshakes_total{route="forbidden/<int:number>/",status="403"}': 3}


def refuse_what_is_malformed(server):
    assert server.handshake("/acts/", **{"Sec-WebSocket-Key": "short"}).status == 400
    yield {'websocket_handshakes_total{route="",status="400"}': 1}


def be_full(server):
    elsewhere = {"X-Forwarded-For": "203.0.113.1"}
    clients = [server.connect("/acts/") for _ in range(20)]
    assert server.handshake("/acts/").status == 429
    yield {'websocket_refusals_total{limit="sockets_per_address"}': 1}
    clients.append(server.connect("/acts/", header=elsewhere))
    assert server.handshake("/acts/", **elsewhere).status == 503
    yield {
        'websocket_sockets{state="open"}': 21,
        'websocket_handshakes_total{route="",status="429"}': 1,
        'websocket_handshakes_total{route="",status="503"}': 1,
    }
    for client in clients:
        client.close()
    yield {'websocket_closes_total{code="1000"}': 21}


def come_too_often(server):
    client = {"X-Forwarded-For": "203.0.113.2"}
    while server.handshake("/forbidden/1/", **client).status != 429:
        pass
    yield {'websocket_refusals_total{limit="handshake_rate"}': 1}


def come_twice(server):
    server.connect("/once/")
    assert server.handshake("/once/").status == 429
    yield {'websocket_refusals_total{limit="sockets_per_user"}': 1}


def join_too_many_channels(server):
    asking = Asking(server)
    results = [asking("follow", f"channel-{number}") for number in range(3)]
    assert results == [None, None, "TooManyChannels"]
    yield {'websocket_refusals_total{limit="channels"}': 1}


def send_too_fast(server):
    patient, strict = server.connect("/throttled/"), server.connect("/strict/")
    for client in (patient, strict):
        for _ in range(15):
            client.send("x")
    yield {
        "websocket_clients_throttled_total": several,
        "websocket_flooding_clients_closed_total": 1,
    }


def fill_redis(server):
    used = int(server.redis.call("INFO", "memory")["used_memory"])
    server.redis.call("CONFIG", "SET", "maxmemory", used + 3_000_000)
    try:
        Asking(server)("fill", 50)
    finally:
        server.redis.call("CONFIG", "SET", "maxmemory", 0)
    yield {"websocket_histories_dropped_total": several}


def exchange_messages(server):
    asking = Asking(server)
    yield
    for _ in range(5):
        asking.client.ping()  # no message
        asking("hog", 0)
    question, answer = json.dumps(["hog", 0]), '{"result":null}'
    # A frame of a client has 6 bytes beside its text, one of the server 2.
    yield {
        "websocket_messages_received_total": 5,
        "websocket_messages_sent_total": 5,
        "websocket_received_bytes_total": 5 * (6 + 6 + len(question)),
        "websocket_sent_bytes_total": 5 * (2 + 2 + len(answer)),
    }
    asking.client.shutdown()  # of a socket that has ended, they are not forgotten
    yield {"websocket_messages_received_total": 5, 'websocket_closes_total{code="1006"}': 1}


def keep_messages_waiting(server):
    asking, other = Asking(server), Asking(server)
    other("hold")
    for what in (["wait"], ["hog", 0], ["hog", 0], ["hog", 0]):
        asking.send(*what)
    yield {"websocket_receive_queue_messages": 3, "websocket_receive_queue_fill_ratio": 0.75}
    other("release")
    yield {"websocket_receive_queue_messages": 0, "websocket_receive_queue_fill_ratio": 0}


def close_a_slow_client(server):
    client = slow_client(server)
    client("follow", "flood", None, "disconnect")
    Asking(server)("publish many", "flood", MANY, SIZE)
    yield {
        "websocket_slow_clients_closed_total": 1,
        "websocket_channel_messages_published_total": MANY,
        "websocket_channel_messages_received_total": several,
    }


def drop_the_oldest(server):
    client, other = slow_client(server), Asking(server)
    client("follow", "flood", None, "drop_oldest")
    other("publish many", "flood", MANY, SIZE)
    yield {
        "websocket_send_buffer_bytes": lambda size: 32_768 < size <= 65_536,
        "websocket_send_buffer_fill_ratio": lambda ratio: 0.5 < ratio <= 1,
        "websocket_channel_messages_received_total": MANY,
        "websocket_channel_messages_delivered_total": MANY,
    }
    other("publish", "flood", "end")
    kept = left_for(client.client)
    assert kept
    yield {
        'websocket_broadcasts_dropped_total{policy="drop_oldest"}': MANY - len(kept),
        "websocket_send_buffer_bytes": 0,
        "websocket_send_buffer_fill_ratio": 0,
    }


def send_the_latest(server):
    client, other = slow_client(server), Asking(server)
    client("follow", "flood", None, "latest")
    other("publish many", "flood", MANY, SIZE)
    other("publish", "flood", "end")
    kept = left_for(client.client)
    yield {'websocket_broadcasts_dropped_total{policy="latest"}': MANY - len(kept)}


def encode_slowly(server):
    client, other = Asking(server), Asking(server)
    client("follow slowly", "slow")
    other("hold")
    other("publish many", "slow", 10, 20_000)
    yield {"websocket_encodings_dropped_total": several}
    other("publish", "slow", "end")
    other("release")
    yield {"websocket_encodings_dropped_total": 10 - len(left_for(client.client))}


def replay(server):
    asking = Asking(server)
    ids = [asking("publish", "old", number) for number in range(4)]
    asking.send("follow", "old", ids[0])
    yield {
        "websocket_channel_messages_published_total": 4,
        "websocket_channel_messages_replayed_total": 3,
        'websocket_broker_call_duration_seconds_count{operation="publish"}': 4,
        'websocket_broker_call_duration_seconds_count{operation="read"}': 1,
        "websocket_channels": 1,
        "websocket_subscriptions": 1,
    }
    asking.client.close()
    yield {"websocket_channels": 0, "websocket_subscriptions": 0}


def resume_after_more_than_is_kept(server):
    asking = Asking(server)
    first = asking("publish", "short", 1)
    asking("clear", "short")
    asking("publish many", "short", 2, 1)
    asking.send("follow", "short", first)
    yield {
        "websocket_channel_gaps_total": 1,
        'websocket_broker_call_duration_seconds_count{operation="clear"}': 1,
    }


def take_back(server):
    asking = Asking(server)
    asking("retract", "old", asking("publish", "old", "oops"))
    yield {
        "websocket_channel_messages_published_total": 2,
        'websocket_broker_call_duration_seconds_count{operation="retract"}': 1,
    }


def read_slowly(server):
    assert Asking(server)("lag", "read", 10, 20_000) == 10
    yield {"websocket_readers_lagging_total": 1}


def be_present(server):
    asking = Asking(server)
    asking("enter", "room", "ada")
    yield {
        "websocket_presence_entries": 1,
        'websocket_broker_call_duration_seconds_count{operation="announce"}': several,
    }
    assert asking("presence", "room") == {"ada": 1}
    asking("leave", "room")
    yield {
        "websocket_presence_entries": 0,
        'websocket_broker_call_duration_seconds_count{operation="roster"}': 1,
    }


def lose_the_broker(server):
    asking, other = Asking(server), Asking(server)
    other("publish", "news", 1)
    asking("follow", "news")
    yield
    server.redis.cut_off()
    try:
        assert other("publish", "news", 2) == "BrokerError"
        yield {
            "websocket_broker_outages_total": 1,
            "websocket_broker_up": -1,
            'websocket_broker_errors_total{operation="publish"}': 1,
        }
        elsewhere = RedisBroker(server.redis.hidden_url)
        elsewhere.publish("news", b'"not kept"', 0, 60)
        elsewhere.close()
    finally:
        server.redis.mend()
    yield {"websocket_broker_up": 0, "websocket_channel_gaps_total": 1}


def query_the_database(server):
    asking = Asking(server)
    for _ in range(3):
        assert asking("query") is None
    yield {"websocket_database_releases_total": 3}


def exhaust_the_pool(server):
    holding, waiting, other = Asking(server), Asking(server), Asking(server)
    available = 'websocket_database_pool_available{database="default"}'
    other("query")
    other("hold")
    wait_for(lambda: scraped(server)[available] == 1, "the pool to have it back")
    yield
    holding.send("hold a connection")
    yield {available: -1}
    waiting.send("query")
    yield {'websocket_database_pool_waiting{database="default"}': 1}
    assert json.loads(waiting.client.recv())["result"] == "OperationalError"
    yield {'websocket_database_pool_errors_total{database="default"}': 1}
    other("release")
    yield {available: 0, 'websocket_database_pool_waiting{database="default"}': 0}


def block_the_worker(server):
    Asking(server)("hog", 0.8)
    yield {"websocket_hub_lag_seconds_sum": lambda seconds: seconds > 0.5}


def work_on_messages(server):
    """One socket in sixteen is measured."""
    for asking in [Asking(server) for _ in range(SAMPLED)]:
        asking("hog", 0.03)
        asking("hog", 0.03)
    yield {
        'websocket_message_duration_seconds_count{route="acts/"}': 2,
        'websocket_message_duration_seconds_sum{route="acts/"}': lambda seconds: seconds >= 0.06,
    }


EVENTS = [
    open_and_close, close_without_an_answer, wait_for_an_answer, refuse, refuse_what_is_malformed,
    be_full, exchange_messages, keep_messages_waiting, close_a_slow_client, drop_the_oldest,
    send_the_latest, encode_slowly, replay, resume_after_more_than_is_kept, take_back, read_slowly,
    be_present, lose_the_broker, query_the_database, exhaust_the_pool, block_the_worker,
    work_on_messages, come_too_often, come_twice, join_too_many_channels, send_too_fast,
    fill_redis, leave_while_the_view_works,
]  # fmt: skip
