import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.postgresql.broker import PostgreSQLBroker
from django_websocket.pubsub.brokers.suite import (
    BrokerSuite,
    EditingSuite,
    PresenceSuite,
    Recorder,
)
from django_websocket.pubsub.message import ZERO


class TestPostgreSQLBroker(BrokerSuite, EditingSuite, PresenceSuite):
    @pytest.fixture(autouse=True)
    def url(self, server):
        self.url = server.broker

    def connect(self):
        return PostgreSQLBroker(self.url)


def test_a_killed_connection_is_replaced_before_the_next_call(broker, sql):
    broker.publish("killed", b"1", 10, 60)
    sql("SELECT pg_terminate_backend(%s, 5000)", [broker._session.info.backend_pid])
    broker.publish("killed", b"2", 10, 60)
    [history] = broker.read([("killed", ZERO)])
    assert [entry.payload for entry in history.entries] == [b"1", b"2"]


def test_a_call_waits_two_seconds_for_a_lock_that_somebody_holds(broker, server, sql):
    broker.publish("locked", b"1", 10, 60)
    sql("BEGIN")
    sql("SELECT * FROM django_websocket_channel WHERE name = 'locked' FOR UPDATE")
    began = time.monotonic()
    with pytest.raises(BrokerError):
        broker.publish("locked", b"2", 10, 60)
    assert time.monotonic() - began < 6
    sql("ROLLBACK")
    broker.publish("locked", b"3", 10, 60)
    [history] = broker.read([("locked", ZERO)])
    assert [entry.payload for entry in history.entries] == [b"1", b"3"]


def test_without_tables_the_error_says_what_to_run(broker, sql):
    sql("ALTER FUNCTION django_websocket_publish RENAME TO elsewhere")
    try:
        with pytest.raises(BrokerError, match=r"manage\.py migrate"):
            broker.publish("room", b"1", 10, 60)
    finally:
        sql("ALTER FUNCTION elsewhere RENAME TO django_websocket_publish")


def test_processes_at_once_agree_on_one_order_whatever_the_size(server):
    brokers = [PostgreSQLBroker(server.broker) for _ in range(3)]
    recorder = Recorder()
    brokers[0].listen(recorder)
    brokers[0].subscribe("many")
    recorder.wait_for(lambda: "many" in recorder.positions, "the subscription")

    def work(broker):
        for number in range(100):
            size = 100_000 if number % 10 == 0 else 20
            broker.publish("many", b"x" * size, 0 if number % 20 == 0 else 1000, 60)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, brokers))
    received = recorder.entries(300)
    assert [entry.previous for entry in received] == [ZERO, *(entry.id for entry in received[:-1])]
    assert sum(len(entry.payload) == 100_000 for entry in received) == 30
    for broker in brokers:
        broker.close()


def test_what_has_expired_is_removed(broker, sql):
    broker.publish("brief", b"x" * 10_000, 10, 0.05)
    broker.publish("brief", b"x" * 10_000, 0, 0.05)
    sql("UPDATE django_websocket_large SET published = published - interval '1 hour'")
    sql(
        "UPDATE django_websocket_channel SET expires = expires - interval '2 days' "
        "WHERE name = 'brief'"
    )
    for _ in range(2):  # histories first, then channels without one
        broker._swept_at -= 3600
        broker.publish("another", b"", 10, 60)
    for table, column in (("channel", "name"), ("history", "channel"), ("large", "channel")):
        query = f"SELECT count(*) FROM django_websocket_{table} WHERE {column} = 'brief'"
        assert sql(query) == [(0,)], table
