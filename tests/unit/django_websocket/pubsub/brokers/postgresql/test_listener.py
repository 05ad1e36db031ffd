import subprocess
import sys
from contextlib import closing

import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.postgresql.broker import PostgreSQLBroker
from support.server import PATIENCE, ROOT, wait_for

from ...conftest import Process

#: The sessions that listen, of all processes.
KILL = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = 'django_websocket listener'
"""


@pytest.fixture
def processes(server):
    """One that listens, and one that publishes."""
    ours, theirs = (Process(PostgreSQLBroker(server.broker)) for _ in range(2))
    with closing(ours), closing(theirs):
        yield ours, theirs


def is_disconnected(broker):
    try:
        broker.check()
    except BrokerError:
        return True
    return False


def received(reader, count):
    return [reader.receive(PATIENCE).data for _ in range(count)]


def test_listening_goes_on_after_its_session_was_killed_and_nothing_is_missing(processes, sql):
    ours, theirs = processes
    reader = ours.reader("resumed", since="0")
    for number in range(3):
        theirs.publish("resumed", f"before {number}")
        wait_for(lambda: sql(KILL), "the listener to be killed")
        theirs.publish("resumed", f"after {number}", "x" * 100_000)
        expected = [f"before {number}", f"after {number}", "x" * 100_000]
        assert received(reader, 3) == expected


def test_a_restart_of_postgresql_is_survived(processes, server):
    ours, theirs = processes
    reader = ours.reader("restarted", since="0")
    theirs.publish("restarted", "before")
    assert received(reader, 1) == ["before"]
    server.stop()
    try:
        with pytest.raises(BrokerError):
            theirs.publish("restarted", "during")
        wait_for(lambda: is_disconnected(ours.dispatcher.broker), "the listener to notice")
    finally:
        server.start()
    theirs.publish("restarted", "after")
    assert received(reader, 1) == ["after"]
    # What was missed is delivered a moment before the broker counts as connected.
    wait_for(lambda: not is_disconnected(ours.dispatcher.broker), "the listener to be back")


def test_a_large_message_that_is_not_kept_arrives(processes):
    ours, theirs = processes
    reader = ours.reader("large")
    theirs.publish("large", "x" * 100_000, history=0)
    theirs.publish("large", "small", history=0)
    assert received(reader, 2) == ["x" * 100_000, "small"]


def test_a_large_message_that_is_gone_already_is_a_gap(processes, sql):
    ours, theirs = processes
    reader = ours.reader("gone")
    sql("BEGIN")
    sql("SELECT django_websocket_publish('gone', repeat('x', 9000)::bytea, 0, 60, NULL)")
    sql("DELETE FROM django_websocket_large WHERE channel = 'gone'")
    sql("COMMIT")
    theirs.publish("gone", "next")
    assert reader.receive(PATIENCE).gap
    assert received(reader, 1) == ["next"]


def test_what_others_notify_is_ignored_and_logged_once(processes, sql, caplog):
    ours, theirs = processes
    reader = ours.reader("foreign")
    for foreign in ("hello", "1 2 3 4", ""):
        sql("SELECT pg_notify(django_websocket_listen_to('foreign'), %s)", [foreign])
    theirs.publish("foreign", "ours")
    assert received(reader, 1) == ["ours"]
    [warning] = [record.getMessage() for record in caplog.records]
    assert "none of ours" in warning


def test_a_process_listens_with_one_connection_to_any_number_of_channels(processes, sql):
    ours, theirs = processes
    readers = [ours.reader(f"channel {number}".replace(" ", "-")) for number in range(300)]
    theirs.publish("channel-299", "x")
    assert received(readers[-1], 1) == ["x"]
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'django_websocket%'"
    wait_for(lambda: sql(query) <= [(3,)], "one listener, and one connection for calls each")


SCRIPT = """
from gevent import monkey
monkey.patch_all()
import sys, gevent, psycopg
from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.postgresql.broker import PostgreSQLBroker

broker = PostgreSQLBroker(sys.argv[1])
broker.publish("patched", b"1", 10, 60)
ticks = []

def tick():
    while True:
        gevent.sleep(0.01)
        ticks.append(1)

with psycopg.connect(sys.argv[1]) as other:
    other.execute("SELECT * FROM django_websocket_channel WHERE name = 'patched' FOR UPDATE")
    gevent.spawn(tick)
    try:
        broker.publish("patched", b"2", 10, 60)
    except BrokerError:
        print(len(ticks) > 20)
broker.close()
"""


def test_under_gevent_others_run_while_a_call_waits(server):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, server.broker],
        env={"PYTHONPATH": str(ROOT / "app")},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr[-2000:]
