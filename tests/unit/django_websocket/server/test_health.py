import time

import pytest

from django_websocket.server import health


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(health, "_last", None)
    monkeypatch.setattr(health, "_late", type(health._late)(maxlen=health._late.maxlen))


def test_a_process_that_never_beats_is_never_late():
    assert health.hub_lag() == 0
    assert not health.draining


def test_a_late_beat_is_remembered_for_ten_seconds(monkeypatch):
    health.beat()
    assert health.hub_lag() == 0
    monkeypatch.setattr(health, "_last", time.monotonic() - health.INTERVAL - 3)
    assert health.hub_lag() == pytest.approx(3, abs=0.5), "it is overdue already"
    assert health.beat() == pytest.approx(3, abs=0.5)
    for _ in range(int(10 / health.INTERVAL) - 1):
        health.beat()
        assert health.hub_lag() == pytest.approx(3, abs=0.5)
    health.beat()
    assert health.hub_lag() == 0
