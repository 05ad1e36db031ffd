"""Each metric moves by the right amount when its event happens, and there is none without one."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest
from django.db import connections

from django_websocket import prometheus
from django_websocket.metrics import Counters
from support.metered import Asking, metered_site, scraped
from support.metered.events import EVENTS
from support.server import STOCK_WORKER, wait_for


@pytest.fixture(scope="module")
def metered(tmp_path_factory):
    with metered_site(tmp_path_factory.mktemp("metered") / "log") as server:
        yield server


@pytest.fixture(autouse=True)
def nobody_is_left(request):
    yield
    if "metered" in request.fixturenames:
        server = request.getfixturevalue("metered")
        server.drop_clients()
        wait_for(lambda: not any(sockets(server).values()), "sockets to end")


def sockets(server):
    samples = scraped(server).items()
    return {name: value for name, value in samples if name.startswith("websocket_sockets{")}


#: What the settings say, and no event changes.
CONSTANT = {
    "websocket_sockets_limit": 21,
    'websocket_database_pool_max{database="default"}': 1,
    'websocket_database_pool_size{database="default"}': 1,
}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_moves_its_metrics_by_the_right_amount(metered, event):
    before = scraped(metered)
    for expected in event(metered):
        if expected is None:
            before = scraped(metered)
        else:
            wait_for_moves(metered, before, expected)


def wait_for_moves(server, before, expected):
    moved = {}

    def moved_so():
        now = scraped(server)
        moved.update({name: now.get(name, 0) - before.get(name, 0) for name in expected})
        return all(
            right(moved[name]) if callable(right) else moved[name] == right
            for name, right in expected.items()
        )

    wait_for(moved_so, lambda: f"{expected}, found {moved}")


def test_the_limits_are_those_of_the_settings(metered):
    assert CONSTANT.items() <= scraped(metered).items()


def test_no_metric_is_there_that_nothing_moves(metered):
    text = metered.get("/metrics").body.decode()
    families = set(re.findall(r"^# TYPE (websocket_\w+)", text, re.MULTILINE))
    source = "".join(map(inspect.getsource, EVENTS)) + " ".join(CONSTANT)
    moved = {re.sub("_(count|sum)$", "", name) for name in re.findall(r"websocket_\w+", source)}
    assert families == moved


def test_no_counter_is_kept_that_nobody_sees():
    source = inspect.getsource(prometheus)
    hidden = [each.name for each in dataclasses.fields(Counters) if each.name not in source]
    assert hidden == [], "expected a line in prometheus.py, and an event in metered/events.py"


def test_a_pool_that_has_no_statistics_costs_no_scrape(monkeypatch):
    monkeypatch.setattr(connections["default"], "pool", object(), raising=False)  # as Oracle's
    names = {metric.name for metric in prometheus.WebSocketCollector().collect()}
    assert "websocket_closes" in names
    assert not any(name.startswith("websocket_database_pool") for name in names)


def test_the_stock_worker_knows_its_channels_and_its_database(tmp_path):
    with metered_site(tmp_path / "log", STOCK_WORKER) as server:
        asking = Asking(server)
        asking("publish", "news", 1)
        asking("query")
        asking("hog", 0)
        samples = scraped(server)
    assert samples["websocket_channel_messages_published_total"] == 1
    assert samples["websocket_database_releases_total"] == 1
    assert not any(name.startswith("websocket_sockets") for name in samples)
