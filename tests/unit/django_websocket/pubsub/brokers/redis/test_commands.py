"""A call has one deadline, whatever it waits for."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from redis import ConnectionPool

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.redis import RedisBroker
from support import callers
from support.callers import longest_call
from support.mute import half, mute, silent, slow, swallowed, trickling
from support.redis import redis_sentinel, redis_server
from support.server import PATIENCE, ROOT, wait_for

#: The two seconds that are promised, and what a busy machine takes for switching.
PROMISE = 2.3


@contextlib.contextmanager
def dead_sentinels():
    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(swallowed()) for _ in range(3)]
        yield f"redis+sentinel://{','.join(hosts)}/chat"


@contextlib.contextmanager
def silent_sentinels():
    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(mute(silent)) for _ in range(3)]
        yield f"redis+sentinel://{','.join(hosts)}/chat"


def behind(scheme, server):
    @contextlib.contextmanager
    def url():
        with server() as address:
            yield f"{scheme}://{address}"

    return url


CASES = {
    "silent": behind("redis", lambda: mute(silent)),
    "half an answer": behind("redis", lambda: mute(half)),
    "an answer without end": behind("redis", lambda: mute(trickling)),
    "a full port": behind("redis", swallowed),
    "TLS without end": behind("rediss", lambda: mute(silent)),
    "TLS at a full port": behind("rediss", swallowed),
    "dead sentinels": dead_sentinels,
    "silent sentinels": silent_sentinels,
    "a silent cluster": behind("redis+cluster", lambda: mute(silent)),
    "a cluster at a full port": behind("redis+cluster", swallowed),
}


@pytest.mark.parametrize("count", [16])
@pytest.mark.parametrize("case", CASES)
def test_no_call_takes_longer_than_two_seconds(case, count):
    with CASES[case]() as url:
        assert longest_call(url, count) < PROMISE


@pytest.mark.parametrize("case", CASES)
def test_nor_does_it_in_greenlets(case):
    with CASES[case]() as url:
        answer = subprocess.run(
            [sys.executable, "-m", "gevent.monkey", callers.__file__, url, "16"],
            cwd=ROOT, env={"PYTHONPATH": f"{ROOT / 'app'}"}, timeout=PATIENCE,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not answer.returncode, answer.stderr
        assert float(answer.stdout) < PROMISE


def test_two_steps_of_a_call_share_its_time():
    """The script is not known, as Redis says late; then it has to come whole."""
    with mute(slow) as address:
        broker = RedisBroker(f"redis://{address}")
        began = time.monotonic()
        with pytest.raises(BrokerError):
            broker.publish("room", b"x", 10, 60)
        assert time.monotonic() - began < PROMISE
        broker.close()


def test_nor_does_it_when_a_name_does_not_resolve(monkeypatch):
    resolved = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolved.wait(PATIENCE) or [])
    try:
        assert longest_call("redis://redis.example", 16) < PROMISE
    finally:
        resolved.set()


def test_an_answer_that_comes_too_late_is_nobody_elses():
    """redis-py would keep a connection to a sentinel's master on which an answer is still due."""
    with redis_sentinel() as (url, master, _):
        broker = RedisBroker(url)
        broker.publish("room", b"x", 10, 60)
        master.signal(signal.SIGSTOP)
        with pytest.raises(BrokerError):
            broker.publish("room", b"y", 10, 60)
        master.signal(signal.SIGCONT)
        wait_for(lambda: _published(broker), "a master")
        for _ in range(20):
            assert broker.roster("room").people == {}
            assert not broker.read([("other", None)])[0].entries
        broker.close()


def test_the_connection_that_failed_is_not_kept(redis):
    broker = RedisBroker(redis.url)
    broker.publish("room", b"x", 10, 60)
    assert redis.connections() == 1
    redis.signal(signal.SIGSTOP)
    with pytest.raises(BrokerError):
        broker.publish("room", b"y", 10, 60)
    redis.signal(signal.SIGCONT)
    broker.publish("room", b"z", 10, 60)
    wait_for(lambda: redis.connections() == 1, "the old connection to end")
    broker.close()


def test_many_calls_at_once_share_one_connection_and_all_succeed(redis):
    broker = RedisBroker(redis.url)
    threads = [
        threading.Thread(target=lambda n=n: broker.publish(f"room{n % 5}", b"x", 1000, 60))
        for n in range(300)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    histories = broker.read([(f"room{n}", "0000000000000-000000") for n in range(5)])
    assert [len(history.entries) for history in histories] == [60] * 5
    assert redis.connections() == 1
    broker.close()


def test_a_call_that_cannot_be_sent_fails_alone(redis):
    broker = RedisBroker(redis.url)
    with pytest.raises(ValueError, match="surrogates"):
        broker.publish("\ud83d", b"x", 10, 60)
    redis.call("SET", "websocket:{wrong}:history", "no stream")
    results = []

    def read(channel):
        try:
            results.append(broker.read([(channel, "0000000000000-000000")]))
        except BrokerError as error:
            results.append(error)

    threads = [threading.Thread(target=read, args=[name]) for name in ("right", "wrong") * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [r for r in results if isinstance(r, BrokerError) or r[0].error is not None]
    assert (len(results), len(failed)) == (40, 20)
    broker.close()


def test_a_sentinel_that_lives_is_found_behind_dead_ones():
    with redis_sentinel() as (url, *_), swallowed() as one, swallowed() as other:
        living = url.partition("://")[2]
        broker = RedisBroker(f"redis+sentinel://{one},{other},{living}")
        began = time.monotonic()
        wait_for(lambda: _published(broker), "the living one to be found")
        assert time.monotonic() - began < 10
        broker.close()


def _published(broker):
    try:
        return broker.publish("room", b"x", 10, 60)
    except BrokerError:
        return None


def test_a_closed_broker_says_so(redis):
    broker = RedisBroker(redis.url)
    broker.publish("room", b"x", 10, 60)
    broker.close()
    with pytest.raises(BrokerError, match="closed"):
        broker.publish("room", b"x", 10, 60)


def test_the_private_name_that_this_needs_is_there():
    """redis-py has no public one for the socket of a connection: None, or the socket."""
    with redis_server() as server:
        connection = ConnectionPool.from_url(server.url).get_connection()
        assert isinstance(connection._sock, socket.socket)
        connection.disconnect()
        assert connection._sock is None
