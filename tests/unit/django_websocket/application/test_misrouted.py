"""What is no handshake, and what was one before a proxy or a server took it apart."""

import logging

import pytest
from django.test import RequestFactory

from django_websocket.application import misrouted
from django_websocket.application.requests import WebSocketRequest
from django_websocket.server.loglimit import OnceAMinute

KEY = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
WHOLE = KEY | {"Upgrade": "websocket", "Connection": "Upgrade"}


@pytest.fixture(autouse=True)
def said(caplog, monkeypatch):
    """The log, as if nothing had been said for a minute."""
    logger = logging.getLogger("django_websocket")
    monkeypatch.setattr(misrouted, "_log_error", OnceAMinute(logger.error))
    return caplog


def answer(headers, **extra):
    extra = {"SERVER_PROTOCOL": "HTTP/1.1"} | extra
    environ = RequestFactory().get("/echo/", headers=headers, **extra).environ
    return misrouted.upgrade_required(WebSocketRequest(environ))


@pytest.mark.parametrize("headers", [{}, {"Upgrade": "h2c"}, {"Upgrade": "websocket"}])
def test_an_ordinary_request_is_asked_to_upgrade_and_nothing_is_logged(headers, said):
    response = answer(headers)
    assert (response.status_code, response.headers["Upgrade"]) == (426, "websocket")
    assert said.text == ""


def test_a_whole_handshake_names_the_worker_class(said):
    response = answer(WHOLE)
    assert response.status_code == 501
    assert "Upgrade" not in response.headers
    assert "--worker-class django_websocket.worker.WebSocketWorker" in said.text
    assert "proxy" not in said.text


@pytest.mark.parametrize(("headers", "protocol"), [(KEY, "HTTP/1.1"), (WHOLE, "HTTP/1.0")])
def test_a_handshake_without_its_upgrade_names_the_proxy(headers, protocol, said, monkeypatch):
    monkeypatch.setattr("django_websocket.server.health.serves_sockets", True)
    assert answer(headers, SERVER_PROTOCOL=protocol).status_code == 501
    assert "proxy_set_header Upgrade" in said.text
    assert "--worker-class" not in said.text, "this process is a WebSocketWorker"


def test_where_both_may_be_wrong_both_are_named(said, monkeypatch):
    monkeypatch.setattr("django_websocket.server.health.serves_sockets", False)
    answer(KEY)
    assert "proxy_set_header Upgrade" in said.text
    assert "--worker-class" in said.text


def test_many_handshakes_are_one_line(said):
    for _ in range(100):
        answer(WHOLE)
    assert len(said.records) == 1


def test_a_signal_of_asgi_s_handler_has_no_environ(said):
    misrouted.on_request_started(object, scope={"type": "http"})
    assert said.text == ""
