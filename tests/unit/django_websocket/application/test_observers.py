from types import SimpleNamespace

import pytest

from django_websocket.application import observers
from django_websocket.application.observers import SAMPLED, observer_of, timing
from django_websocket.metrics import ROUTE, counters
from django_websocket.signals import message_received

REQUEST = SimpleNamespace(META={ROUTE: "observed/"})


class Noting:
    def __init__(self, name, notes):
        self.name, self.notes = name, notes

    def taken(self, message):
        self.notes.append(f"{self.name} taken {message}")

    def done(self):
        self.notes.append(f"{self.name} done")


@pytest.fixture(autouse=True)
def only_signals(monkeypatch):
    """Whatever else this process observes by now."""
    monkeypatch.setattr(observers, "factories", observers.factories[:1])


def test_nobody_observes_a_socket_without_a_receiver():
    assert observer_of(REQUEST, object()) is None


def test_a_receiver_gets_the_message():
    heard = []

    def note(message, **kwargs):
        heard.append(message)

    message_received.connect(note)
    try:
        observer_of(REQUEST, object()).taken("hello")
    finally:
        message_received.disconnect(note)
    assert heard == ["hello"]


def test_several_observers_end_in_reverse_order():
    notes = []
    for name in ("a", "b"):
        observers.factories.append(lambda request, socket, name=name: Noting(name, notes))
    observer = observer_of(REQUEST, object())
    observer.taken(1)
    observer.done()
    assert notes == ["a taken 1", "b taken 1", "b done", "a done"]


def test_one_socket_in_so_many_is_measured():
    measured = [timing(REQUEST, object()) for _ in range(2 * SAMPLED)]
    assert [number for number, each in enumerate(measured) if each is not None] == [0, SAMPLED]
    measured[0].done()  # before the first message
    measured[0].taken("hello")
    measured[0].done()
    measured[0].done()
    assert sum(counters.message_seconds["observed/"].counts) == 1
