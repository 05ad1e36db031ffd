from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from project.middleware import content_security_policy


def policy_of(response):
    answered = content_security_policy(lambda request: response)(RequestFactory().get("/"))
    return answered.headers.get("Content-Security-Policy")


def test_scripts_come_from_the_sites_own_files():
    policy = policy_of(HttpResponse())
    assert "default-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_sockets_may_be_on_another_host():
    with override_settings(WEBSOCKET_SERVER="wss://sockets.example.com/base"):
        assert "connect-src 'self' wss://sockets.example.com;" in policy_of(HttpResponse())


def test_a_view_may_have_a_policy_of_its_own():
    mine = "default-src 'none'"
    assert policy_of(HttpResponse(headers={"Content-Security-Policy": mine})) == mine


def test_djangos_page_for_an_exception_is_all_inline():
    with override_settings(DEBUG=True):
        assert policy_of(HttpResponse(status=500)) is None
        assert policy_of(HttpResponse()) is not None
    assert policy_of(HttpResponse(status=500)) is not None
