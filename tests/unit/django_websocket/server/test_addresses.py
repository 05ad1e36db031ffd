import contextlib

import pytest

from django_websocket.server import addresses
from django_websocket.server.addresses import Addresses, network_of
from support.raw_client import RawClient, handshake


@pytest.fixture(scope="module")
def server(serve_raw):
    with serve_raw(
        "--forwarded-allow-ips", "*", MAX_SOCKETS_PER_ADDRESS=3, HANDSHAKE_RATE=0.5
    ) as server:
        yield server


@contextlib.contextmanager
def client_of(server, address):
    """A client for whom the proxy says this address, and the status of its handshake."""
    with RawClient(server.address) as client:
        client.send(handshake("/stubborn", f"X-Forwarded-For: {address}\r\n"))
        yield client.read_head()


def test_an_address_has_so_many_sockets(server):
    with contextlib.ExitStack() as stack:
        heads = [stack.enter_context(client_of(server, "192.0.2.1")) for _ in range(4)]
        assert [status for status, _ in heads] == [101, 101, 101, 429]
        assert heads[3][1]["retry-after"] == "5"
        status, _ = stack.enter_context(client_of(server, "192.0.2.2"))
        assert status == 101
    server.wait_for_log("Refused a handshake on '/stubborn': ")


def test_an_address_sends_so_many_handshakes(server):
    found = []
    for number in range(8):
        with client_of(server, f"2001:db8::{number}") as (status, _):
            found.append(status)
    # Ten seconds' worth of them, and no more for two seconds; those that have left do not count.
    assert found[:5] == [101] * 5
    assert 429 in found[5:]


def test_the_log_says_which_limit_it_was():
    limits = Addresses(0.001, None)
    client = {"REMOTE_ADDR": "192.0.2.9"}
    assert limits.refusal(client) is None
    assert limits.refusal(client) == (
        "192.0.2.9 sends too many handshakes: see WEBSOCKET_HANDSHAKE_RATE"
    )


def test_a_rounded_sum_refuses_nobody(monkeypatch):
    now = 65131.45804169014
    assert now + 1000 - now > 1000
    monkeypatch.setattr(addresses, "monotonic", lambda: now)
    assert Addresses(0.001, None).refusal({"REMOTE_ADDR": "192.0.2.9"}) is None


def test_a_client_on_a_unix_socket_has_no_address():
    limits = Addresses(0.001, 1)
    assert [limits.refusal({}) for _ in range(5)] == [None] * 5


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("no:address", "no:address"),
    ],
)
def test_who_has_one_ipv6_address_has_a_network(address, network):
    assert network_of(address) == network


def test_quiet_addresses_are_forgotten(monkeypatch):
    monkeypatch.setattr(addresses, "_SWEEP", 10)
    limits = Addresses(1e9, None)
    for number in range(100):
        assert limits.refusal({"REMOTE_ADDR": f"192.0.2.{number}"}) is None
    assert len(limits._empty_at) <= 11
