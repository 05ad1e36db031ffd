"""Health, readiness and who gets the metrics, on a live worker and on any WSGI server."""

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings

from django_websocket.middleware import MetricsMiddleware
from support.redis import redis_server
from support.server import OUR_WORKER, serve

FIRST = "django_websocket.middleware.HealthMiddleware"


@pytest.fixture
def client():
    with override_settings(MIDDLEWARE=[FIRST], ROOT_URLCONF="support.site.urls"):
        yield Client(headers={"host": "not-allowed.example"})


def test_alive(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"alive\n")
    assert response.headers["Cache-Control"] == "no-store"


def test_ready_without_a_database_query(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        response = client.get("/readyz")
    assert (response.status_code, response.content) == (200, b"ready\n")


def test_ready_with_the_database(client, django_assert_num_queries, db):
    with django_assert_num_queries(1):
        assert client.get("/readyz?check=database").status_code == 200


def test_ready_with_the_broker(client):
    with override_settings(WEBSOCKET_BROKER="memory://"):
        assert client.get("/readyz?check=broker").status_code == 200


def test_not_ready_without_the_broker(client, tmp_path, caplog):
    with override_settings(WEBSOCKET_BROKER=f"unix://{tmp_path}/nobody.sock"):
        response = client.get("/readyz?check=broker")
    assert response.status_code == 503
    assert response.content == b"the broker does not answer, or accepts no messages\n"
    assert "nobody.sock" in caplog.text


def test_not_ready_with_a_broker_that_is_full(client):
    with (
        redis_server("--save", "", "--maxmemory", "1", "--maxmemory-policy", "noeviction") as redis,
        override_settings(WEBSOCKET_BROKER=redis.url),
    ):
        assert client.get("/readyz?check=broker").status_code == 503


def test_unknown_check_is_named(client):
    response = client.get("/readyz?check=weather")
    assert response.status_code == 400
    assert response.content == b"unknown check 'weather', known: broker, database\n"


def test_other_paths_pass(client):
    client.defaults["HTTP_HOST"] = "testserver"
    assert client.get("/login/").content == b"Log in here."


@pytest.fixture
def scraper():
    metrics = "django_websocket.middleware.MetricsMiddleware"
    with override_settings(MIDDLEWARE=[metrics], ROOT_URLCONF="support.site.urls"):
        yield Client(headers={"host": "not-allowed.example"})


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "fd00::1", "unix:", ""])
def test_who_asks_this_process_itself_gets_the_metrics(scraper, address):
    response = scraper.get("/metrics", REMOTE_ADDR=address)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    assert b"websocket_channel_messages_published_total " in response.content


def test_prometheus_gets_the_format_that_it_asks_for(scraper):
    response = scraper.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.content.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "asked",
    [
        {"HTTP_X_FORWARDED_FOR": "10.0.0.1"},
        {"HTTP_FORWARDED": "for=10.0.0.1"},
        {"HTTP_X_REAL_IP": "10.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
        {"REMOTE_ADDR": "8.8.8.8"},
        {"REMOTE_ADDR": "2001:4860:4860::8888"},
    ],
)
def test_nobody_gets_the_metrics_through_a_proxy_or_from_outside(asked):
    middleware = MetricsMiddleware(lambda request: HttpResponse("a page of the project"))
    response = middleware(RequestFactory().get("/metrics", **asked))
    assert response.content == b"a page of the project"


def test_metrics_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "django_websocket.prometheus", raising=False)
    monkeypatch.delattr("django_websocket.prometheus", raising=False)
    with pytest.raises(ImproperlyConfigured, match=r"django-gevent-websocket\[metrics\]"):
        MetricsMiddleware(lambda request: None)


@pytest.fixture
def server(tmp_path):
    env = {
        "SITE_DATABASE": f"postgres://nobody@/nowhere?host={tmp_path}",
        "DJANGO_SETTINGS_MODULE": "support.site.settings",
    }
    with serve("support.site.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
        yield server


def test_database_that_is_away_is_not_ready_and_still_alive(server):
    assert server.get("/readyz").status == 200
    response = server.get("/readyz?check=database")
    assert response.status == 503
    assert response.body == b"the database 'default' does not answer\n"
    assert server.get("/healthz").status == 200


def test_greenlet_that_holds_the_worker_makes_it_unready(server):
    client = server.connect("/hogs/")
    client.send("2")
    client.recv()
    response = server.get("/readyz")
    assert response.status == 503
    assert b"a greenlet blocked the worker for" in response.body
