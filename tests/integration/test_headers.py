"""The proxy contract, rows 4, 30, 31 and 48: what the application is told about a client."""

import re

import pytest

from support.raw_http import H2C, get, page_saw, socket_saw, upgrade

ROUTES = pytest.mark.parametrize("see", [page_saw, socket_saw])

SPOOFED = (
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "444"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Protocol", "https"),
    ("X-Forwarded-Ssl", "on"),
    ("X-Real-IP", "203.0.113.7"),
    ("Forwarded", "for=203.0.113.7;proto=https"),
    ("Proxy", "http://evil.example"),
)
FROM_NGINX = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Real-Ip": "127.0.0.1"}


@ROUTES
def test_the_application_sees_the_real_client(stack, see):
    seen = see(stack.port, "/probe/", SPOOFED)
    assert (seen["address"], seen["scheme"]) == ("127.0.0.1", "http")


@ROUTES
def test_no_spoofed_header_passes(stack, see):
    headers = see(stack.port, "/probe/", SPOOFED)["headers"]
    suspects = {name.title() for name, _ in SPOOFED}
    assert {name: headers[name] for name in headers if name in suspects} == FROM_NGINX


@ROUTES
def test_the_classic_form_lets_a_client_claim_tls_and_an_address(classic, see):
    seen = see(classic.port, "/probe/", SPOOFED[:2])
    assert (seen["address"], seen["scheme"]) == ("203.0.113.7", "https")


@ROUTES
@pytest.mark.parametrize("name", ["X_Forwarded_Proto", "SCRIPT_NAME", "PATH_INFO"])
def test_headers_with_underscores_are_dropped(stack, see, name):
    seen = see(stack.port, "/probe/", ((name, "https"),))
    assert "https" not in seen["headers"].values()
    assert seen["path"] == "/probe/"


@ROUTES
def test_the_host_arrives_with_its_port(stack, see):
    assert see(stack.port, "/probe/", host="localhost:8443")["headers"]["Host"] == "localhost:8443"


def test_a_forwarded_port_passes_the_origin_check(stack):
    origin = (("Origin", "http://localhost:8443"),)
    assert socket_saw(stack.port, "/probe/", origin, host="localhost:8443")["server"] == "sockets"


@pytest.mark.parametrize("headers", [H2C, upgrade("foo/2"), upgrade("websocket, h2c")])
def test_no_other_upgrade_is_forwarded(stack, headers):
    seen = page_saw(stack.port, "/probe/", headers)["headers"]
    assert {"Upgrade", "Http2-Settings"}.isdisjoint(seen)
    assert seen["Connection"] == "close"


def test_the_classic_form_forwards_h2c(classic):
    assert get(classic.port, "/probe/", H2C).status == 426


def test_a_handshake_arrives_in_our_words(stack):
    headers = socket_saw(stack.port, "/probe/")["headers"]
    assert (headers["Upgrade"], headers["Connection"]) == ("websocket", "Upgrade")


@ROUTES
def test_nginx_gives_each_request_an_id_which_no_client_chooses(stack, see):
    ids = [
        see(stack.port, "/probe/", (("X-Request-ID", "mine"),))["headers"]["X-Request-Id"]
        for _ in "ab"
    ]
    assert ids[0] != ids[1]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
