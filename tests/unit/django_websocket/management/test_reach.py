"""The way to a server: what is wrong with an address, a port, a certificate."""

import socket

import pytest

from django_websocket.management.hops import Visitor, hops
from django_websocket.management.reach import HopFailed, connect
from support.ports import free_port


def failure(url):
    with pytest.raises(HopFailed) as caught:
        list(hops(url, Visitor(), days=0))
    return str(caught.value)


def test_a_certificate_that_nobody_knows_or_that_is_for_another(worker, monkeypatch):
    port = worker.address[1]
    assert "is not trusted: it has signed itself" in failure(f"wss://localhost:{port}/echo")
    monkeypatch.setenv("SSL_CERT_FILE", str(worker.certificate))
    assert "it is for another address" in failure(f"wss://127.0.0.1:{port}/echo")


def test_nobody_is_there():
    port = free_port()
    said = failure(f"ws://127.0.0.1:{port}/")
    assert said == (
        f"Port {port} of 127.0.0.1 refuses connections: is the proxy running, and is this its port?"
    )
    assert "nowhere.invalid has no address" in failure("wss://nowhere.invalid/")


@pytest.mark.parametrize(
    "url", ["example.com", "ftp://example.com/", "wss://", "ws://[::1/", "ws://a b/"]
)
def test_an_address_that_is_none(url):
    assert "Expected an address" in failure(url)


def test_each_address_of_a_name_is_tried():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        addresses = [(socket.AF_INET, (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        sock, (dead, alive) = connect(addresses, timeout=5)
        sock.close()
    assert dead.startswith(f"Port {port} of 127.0.0.2 refuses connections: visitors who get")
    assert alive.startswith(f"Port {port} of 127.0.0.1 accepts connections, in ")
