import subprocess
import sys
import threading
import time

import pytest

from django_websocket.errors import BrokerError, ImproperSetting
from django_websocket.pubsub import register_broker
from django_websocket.pubsub.brokers.base import Entry, History, make_broker, wait_while_answered
from django_websocket.pubsub.brokers.memory import MemoryBroker
from support.server import ROOT

ONE, TWO, THREE = (Entry(str(n), str(n - 1), b"") for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("entries", "last", "position", "expected"),
    [
        ([], "0", "0", []),
        ([ONE, TWO], "2", "0", [ONE, TWO]),
        ([TWO], "2", "1", [TWO]),
        ([TWO, THREE], "3", "0", ["1", TWO, THREE]),
        ([ONE, THREE], "3", "0", [ONE, "2", THREE]),
        ([ONE], "3", "0", [ONE, "3"]),
        ([], "3", "0", ["3"]),
        ([], "0", "3", ["0"]),
    ],
)
def test_a_history_says_where_something_is_missing(entries, last, position, expected):
    assert list(History(entries, last).since(position)) == expected


def test_an_unknown_backend_is_refused_by_name():
    with pytest.raises(ImproperSetting, match=r"memory://.*found 'nats://host'"):
        make_broker("nats://host")


def test_a_url_that_says_nothing_is_refused():
    with pytest.raises(ImproperSetting, match=r"WEBSOCKET_BROKER: .*service"):
        make_broker("redis+sentinel://host")


def test_a_backend_of_ones_own():
    register_broker("mine", "django_websocket.pubsub.brokers.memory.MemoryBroker")
    assert isinstance(make_broker("mine://"), MemoryBroker)


def test_without_redis_py_only_its_urls_are_refused():
    script = (
        "import sys; sys.modules['redis'] = None\n"
        "from django_websocket.pubsub.brokers.base import make_broker\n"
        "make_broker('memory://')\n"
        "make_broker('redis://localhost')"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "app")},
        capture_output=True,
        text=True,
    )
    assert "redis:// needs the package redis, which is not installed" in run.stderr


class Refusing(MemoryBroker):
    """Refuses to read more than one entry."""

    def read(self, positions, limit=None):
        if limit != 1:
            raise BrokerError("enough")
        return super().read(positions, limit)


def test_what_a_receiver_wants_is_read_until_it_wants_no_more():
    found = []

    def wanted():
        found.append((yield [("room", None)], 1))
        found.append((yield [("room", None), ("other", None)], 1))

    broker = Refusing()
    broker.answer(None)
    broker.answer(wanted())
    assert [len(histories) for histories in found] == [1, 2]


def test_a_receiver_that_cannot_be_answered_ends():
    ended = []

    def wanted():
        try:
            yield [("room", None)], 1
            yield [("room", None)], None
        finally:
            ended.append(True)

    with pytest.raises(BrokerError, match="enough"):
        Refusing().answer(wanted())
    assert ended


class Answering(MemoryBroker):
    """Answers somebody for ``seconds`` from its making on."""

    def __init__(self, seconds):
        super().__init__()
        self._until = time.monotonic() + seconds

    @property
    def answered_at(self):
        return min(time.monotonic(), self._until)


@pytest.mark.parametrize("seconds", [0, 1.5])
def test_who_waits_gives_up_after_two_seconds_of_silence(seconds):
    never = threading.Event()
    began = time.monotonic()
    assert not wait_while_answered(never.wait, Answering(seconds))
    assert seconds + 1.9 < time.monotonic() - began < seconds + 2.6


def test_a_process_that_stood_still_blames_no_broker():
    """What has come meanwhile is looked at first."""
    waits = iter([lambda: time.sleep(2.5), lambda: True])
    assert wait_while_answered(lambda left: bool(next(waits)()), Answering(0))
