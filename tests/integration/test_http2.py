"""The proxy contract, rows 12 and 13: HTTP/2 knows no Upgrade, and sockets do not come that way."""

import json

import pytest

from support import http2
from support.raw_http import Connection

REQUEST = (
    (":scheme", "http"),
    (":authority", "localhost"),
    (":path", "/probe/"),
)


@pytest.fixture
def port(nginx):
    # "listen … http2" is for nginx before 1.25.1; later ones warn, and take it all the same.
    listen = "listen 127.0.0.1:8080;"
    return nginx(changes={listen: "listen 127.0.0.1:8080 http2;"}).port


def test_an_upgrade_header_means_nothing_in_http2(port):
    with Connection(port) as connection:
        status, body = http2.request(
            connection, (":method", "GET"), *REQUEST, ("upgrade", "websocket")
        )
    assert status == 200
    assert json.loads(body)["server"] == "pages"


def test_a_socket_over_http2_is_refused(port):
    connect = ((":method", "CONNECT"), (":protocol", "websocket"), *REQUEST)
    with Connection(port) as connection:
        status, _ = http2.request(connection, *connect, ("sec-websocket-version", "13"))
    assert status == 400
