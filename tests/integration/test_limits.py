"""The proxy contract, rows 42, 43, 45 and 46: limits, access rules, the log."""

import re
import time

import pytest

from support.raw_http import HANDSHAKE, Connection, compose, get, upgrade
from support.stack import wait_for

RULE_FOR_PAGES = "location /probe/internal/ { deny all; }"
RULE_FOR_BOTH = "location ~ ^(?:/__ws__)?/probe/internal/ { deny all; }"


def test_slow_headers_are_cut_off(nginx):
    port = nginx(changes={"client_header_timeout 10s": "client_header_timeout 1s"}).port
    with Connection(port) as connection:
        start = time.monotonic()
        connection.send(b"GET / HTTP/1.1\r\nHost: local")
        assert connection.is_closed()
        assert 0.5 < time.monotonic() - start < 5


def test_sockets_of_one_address_are_limited_and_pages_are_not(nginx):
    port = nginx(changes={"sockets_per_address 1000": "sockets_per_address 2"}).port
    with Connection(port) as first, Connection(port) as second:
        for connection in (first, second):
            connection.send(compose("/probe/", HANDSHAKE))
            assert connection.response().status == 101
        assert get(port, "/probe/", HANDSHAKE).status == 429
        assert get(port, "/probe/").status == 200
    wait_for(lambda: get(port, "/probe/", HANDSHAKE).status == 101)


def test_handshakes_of_one_address_are_limited_and_pages_are_not(nginx):
    port = nginx(changes={"burst=2000": "burst=2", "rate=50r/s": "rate=1r/m"}).port
    found = [get(port, "/probe/", HANDSHAKE) for _ in range(4)]
    assert [response.status for response in found] == [101, 101, 101, 429]
    assert found[3].headers["Retry-After"] == "10"
    assert b"Too many requests" in found[3].body
    assert get(port, "/probe/").status == 200


def test_logins_of_one_address_are_limited_and_nothing_else(nginx):
    port = nginx(changes={"burst=20": "burst=2", "rate=20r/m": "rate=1r/m"}).port
    paths = [
        "/accounts/login/",
        "/admin/login/?next=/",
        "//accounts/./login/",
        "/accounts/%6Cogin/",
    ]
    statuses = [get(port, path, method="POST").status for path in paths]
    assert 429 not in statuses[:3]
    assert statuses[3] == 429
    assert get(port, "/accounts/login/").status != 429
    assert get(port, "/probe/", method="POST").status != 429


def test_what_follows_a_refused_handshake_is_no_request(nginx):
    port = nginx(changes={"burst=2000": "burst=1", "rate=50r/s": "rate=1r/m"}).port
    get(port, "/probe/", HANDSHAKE)
    get(port, "/probe/", HANDSHAKE)
    with Connection(port) as connection:
        connection.send(compose("/probe/", HANDSHAKE) + compose("/probe/?smuggled"))
        assert connection.response().status == 429
        assert connection.is_closed()


@pytest.mark.parametrize("rule", [RULE_FOR_PAGES, RULE_FOR_BOTH])
@pytest.mark.parametrize("headers", [(), upgrade("x"), upgrade("h2c")])
def test_an_access_rule_cannot_be_passed_with_an_upgrade_header(nginx, rule, headers):
    port = nginx(extra={"stack/local/site.conf": rule}).port
    assert get(port, "/probe/internal/", headers).status == 403


def test_an_access_rule_that_names_both_routes_holds_for_sockets(nginx):
    port = nginx(extra={"stack/local/site.conf": RULE_FOR_BOTH}).port
    assert get(port, "/probe/internal/", HANDSHAKE).status == 403
    assert get(port, "/probe/", HANDSHAKE).status == 101


def test_the_classic_form_lets_any_upgrade_header_pass_a_rule(classic):
    assert get(classic.port, "/admin/").status == 403
    assert get(classic.port, "/admin/", upgrade("x")).status == 426


def test_the_log_has_a_line_for_a_page(stack):
    get(stack.port, "/probe/?logged-page")
    line = wait_for(lambda: log_line(stack, "logged-page"))
    assert '"GET /probe/?logged-page HTTP/1.1" 200 websocket=0' in line
    assert re.search(r'attempts="unix:run/http-[12]\.sock" answered="200"', line)


def test_the_log_has_a_line_for_a_socket_at_its_close(stack):
    client = stack.connect("/probe/?logged-socket")
    client.recv()
    client.send("x" * 1000)
    client.recv()
    assert not log_line(stack, "logged-socket")
    client.close()
    line = wait_for(lambda: log_line(stack, "logged-socket"))
    assert '"GET /probe/?logged-socket HTTP/1.1" 101 websocket=1' in line
    assert re.search(r'attempts="unix:run/websocket-[12]\.sock"', line)
    assert re.search(r" seconds=\d+\.\d{3} ", line)
    assert int(re.search(r"bytes_in=(\d+)", line)[1]) > 1000
    assert int(re.search(r"bytes_out=(\d+)", line)[1]) > 1000


def log_line(stack, word: str) -> str | None:
    return next((line for line in stack.log("nginx").splitlines() if word in line), None)
