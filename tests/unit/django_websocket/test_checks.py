"""Every mistake in the settings is a check with an id and a hint."""

import pytest
from django.core import checks
from django.test import override_settings

from django_websocket.options import known_settings


def messages(*, deploy=False):
    return checks.run_checks(tags=["websocket"], include_deployment_checks=deploy)


@pytest.fixture(autouse=True)
def good_urlconf():
    with override_settings(WEBSOCKET_URLCONF="support.named_urls"):
        yield


def test_the_project_has_no_problem():
    with override_settings(WEBSOCKET_URLCONF="project.websocket_urls"):
        assert messages(deploy=True) == []


@pytest.mark.parametrize("value", [None, "", 7])
def test_missing_urlconf(value):
    with override_settings(WEBSOCKET_URLCONF=value):
        (message,) = messages()
    assert message.id == "django_websocket.E001"
    assert "project.websocket_urls" in message.hint


@pytest.mark.parametrize("value", ["no.such.module", "string", "project.settings"])
def test_unusable_urlconf(value):
    with override_settings(WEBSOCKET_URLCONF=value):
        (message,) = messages()
    assert message.id == "django_websocket.E002"
    assert value in message.msg


def test_patterns_that_django_refuses_are_reported():
    with override_settings(WEBSOCKET_URLCONF="support.bad_urls"):
        (message,) = messages()
    assert message.id.startswith("urls.")


def test_unknown_setting_suggests_the_right_name():
    with override_settings(WEBSOCKET_MAX_MESAGE_SIZE=1):
        (message,) = messages()
    assert message.id == "django_websocket.W001"
    assert message.hint == "Did you mean WEBSOCKET_MAX_MESSAGE_SIZE?"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBSOCKET_SERVER", "sockets.example.com"),
        ("WEBSOCKET_SERVER", "https://example.com"),
        ("WEBSOCKET_SERVER", 7),
        ("WEBSOCKET_ALLOWED_ORIGINS", "https://example.com"),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["example.com"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://example.com/"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://example.com?x"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://mary@example.com"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["wss://example.com"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://example.com:port"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://example.com:0"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://www.*.com"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://*example.com"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["*.example.com"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", [None]),
        ("WEBSOCKET_MAX_MESSAGE_SIZE", 0),
        ("WEBSOCKET_MAX_MESSAGE_SIZE", "1 MiB"),
        ("WEBSOCKET_MAX_MESSAGE_SIZE", True),
        ("WEBSOCKET_MAX_MESSAGE_SIZE", 1.5),
        ("WEBSOCKET_PING_INTERVAL", 0),
        ("WEBSOCKET_PING_TIMEOUT", None),
        ("WEBSOCKET_PING_INTERVAL", float("nan")),
        ("WEBSOCKET_SEND_BUFFER_POLICY", "wait"),
        ("WEBSOCKET_COMPRESSION_THRESHOLD", -1),
        ("WEBSOCKET_MAX_CONNECTIONS", 0),
    ],
)
def test_wrong_value(name, value):
    with override_settings(**{name: value}):
        (message,) = messages()
    assert message.id == "django_websocket.E003"
    assert name in message.msg
    assert repr(value) in message.msg
    assert message.hint == known_settings()[name].metadata["reason"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBSOCKET_SERVER", "wss://sockets.example.com:8443/prefix"),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://*.example.com", "http://localhost:3000"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["*", "http://[::1]:3000", "capacitor://localhost"]),
        ("WEBSOCKET_ALLOWED_ORIGINS", ["https://Example.com", "chrome-extension://abcdef"]),
        ("WEBSOCKET_PING_INTERVAL", None),
        ("WEBSOCKET_PING_INTERVAL", 5),
        ("WEBSOCKET_COMPRESSION_THRESHOLD", 0),
        ("WEBSOCKET_SEND_BUFFER_POLICY", "drop_oldest"),
    ],
)
def test_right_value(name, value):
    with override_settings(**{name: value}):
        assert messages() == []


def test_every_origin_is_a_warning_at_deployment():
    with override_settings(WEBSOCKET_ALLOWED_ORIGINS=["*"]):
        assert messages() == []
        (message,) = messages(deploy=True)
    assert message.id == "django_websocket.W002"


@pytest.mark.parametrize(
    ("url", "problem"), [("nats://host", "redis://"), ("redis+sentinel://host", "/service")]
)
def test_a_broker_that_cannot_be_used(url, problem):
    with override_settings(WEBSOCKET_BROKER=url):
        (message,) = messages()
    assert message.id == "django_websocket.E004"
    assert problem in message.msg


def test_a_broker_for_one_process_is_no_broker_for_a_site(monkeypatch):
    with override_settings(WEBSOCKET_BROKER="memory://", DEBUG=False):
        assert messages() == [], "the test runner has DEBUG off, too"
        monkeypatch.delattr("django.core.mail.outbox")
        (message,) = messages()
        assert message.id == "django_websocket.W003"
    with override_settings(WEBSOCKET_BROKER="memory://", DEBUG=True):
        assert messages() == []
