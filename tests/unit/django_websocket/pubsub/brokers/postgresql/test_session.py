import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.postgresql.address import Address
from django_websocket.pubsub.brokers.postgresql.broker import PostgreSQLBroker
from django_websocket.pubsub.brokers.postgresql.session import open_session
from django_websocket.pubsub.brokers.suite import Recorder
from support.postgresql import pgbouncer


def test_a_pooler_that_shares_connections_is_refused_with_a_sentence(server):
    with pgbouncer(server, "transaction") as url:
        broker = PostgreSQLBroker(url)
        for call in (lambda: broker.publish("room", b"1", 10, 60), broker.check):
            with pytest.raises(BrokerError, match=r"pool_mode=transaction.*name the server itself"):
                call()
        broker.close()


def test_a_pooler_that_keeps_sessions_will_do(server):
    with pgbouncer(server, "session") as url:
        broker, recorder = PostgreSQLBroker(url), Recorder()
        broker.listen(recorder)
        broker.subscribe("pooled")
        recorder.wait_for(lambda: "pooled" in recorder.positions, "the subscription")
        broker.publish("pooled", b"1", 10, 60)
        assert recorder.entries(1)[0].payload == b"1"
        broker.close()


def test_a_session_that_was_ended_is_not_usable(server, sql):
    session = open_session(Address(server.broker), "test")
    assert session.is_usable
    sql("SELECT pg_terminate_backend(%s, 5000)", [session.info.backend_pid])
    assert not session.is_usable
    session.close()
