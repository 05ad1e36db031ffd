from ipaddress import ip_network

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from django_websocket.server.proxies import TrustedProxies

LOCAL = ("127.0.0.1", "10.0.0.0/8")


def applied(peer, allowed=LOCAL, **headers):
    networks = [ip_network(address) for address in allowed if address != "*"]
    environ = {"wsgi.url_scheme": "http", "REMOTE_PORT": "4711"} | headers
    if peer is not None:
        environ["REMOTE_ADDR"] = peer
    TrustedProxies(allowed, networks).apply(environ)
    return environ


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (None, "203.0.113.9", "203.0.113.9"),  # a unix socket
        ("10.1.2.3", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the first is anyone's claim
        ("127.0.0.1", "203.0.113.9, 10.0.0.7", "203.0.113.9"),  # two proxies of ours
        ("127.0.0.1", "10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "<script>, 10.0.0.7", "10.0.0.7"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # not a proxy of ours
        (None, "", ""),
    ],
)
def test_the_client(peer, forwarded, client):
    assert applied(peer, HTTP_X_FORWARDED_FOR=forwarded)["REMOTE_ADDR"] == client


def test_the_port_is_the_peers_not_the_clients():
    assert "REMOTE_PORT" not in applied("127.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert applied("127.0.0.1")["REMOTE_PORT"] == "4711"


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("127.0.0.1", "https", "https"),
        ("127.0.0.1", "WSS", "https"),
        ("127.0.0.1", "http", "http"),
        ("127.0.0.1", "gopher", "http"),
        ("192.0.2.1", "https", "http"),
        (None, "https", "https"),
    ],
)
def test_the_scheme(peer, proto, scheme):
    assert applied(peer, HTTP_X_FORWARDED_PROTO=proto)["wsgi.url_scheme"] == scheme


def test_a_star_trusts_the_peer_and_nobody_behind_it():
    environ = applied("192.0.2.1", ["*"], HTTP_X_FORWARDED_FOR="6.6.6.6, 203.0.113.9")
    assert environ["REMOTE_ADDR"] == "203.0.113.9"


KEYS = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")


@pytest.mark.parametrize("hops", [1, 2])
@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1", None])
@pytest.mark.parametrize(
    "forwarded",
    ["6.6.6.6", "6.6.6.6, 203.0.113.9", "203.0.113.9, 10.0.0.7", "unknown", "203.0.113.9:4711", ""],
)
@pytest.mark.parametrize("proto", ["https", "WSS", "http", "gopher", "https,http", ""])
def test_a_proxy_fix_inside_changes_nothing(hops, peer, forwarded, proto):
    environ = applied(
        peer, HTTP_X_FORWARDED_FOR=forwarded, HTTP_X_FORWARDED_PROTO=proto, HTTP_HOST="example.org"
    )
    before = {key: environ.get(key) for key in KEYS}
    ProxyFix(lambda environ, start_response: [], x_for=hops, x_proto=hops)(environ, print)
    assert {key: environ.get(key) for key in KEYS} == before


def test_what_an_untrusted_peer_claims_reaches_nobody():
    claims = {
        "HTTP_X_FORWARDED_FOR": "6.6.6.6",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_SSL": "on",
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_X_FORWARDED_PORT": "443",
        "HTTP_X_FORWARDED_PREFIX": "/evil",
        "HTTP_X_REAL_IP": "6.6.6.6",
        "HTTP_FORWARDED": "for=6.6.6.6",
    }
    environ = applied("192.0.2.1", **claims)
    assert not claims.keys() & environ.keys()
    before = {key: environ.get(key) for key in KEYS}
    fix = ProxyFix(lambda environ, start_response: [], 1, 1, 1, 1, 1)
    fix(environ, print)
    assert {key: environ.get(key) for key in KEYS} == before
