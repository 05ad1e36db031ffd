"""Four hosts: proxy, web, and two for sockets, of which the first also has Redis and PostgreSQL."""

import time
from contextlib import ExitStack, closing
from types import SimpleNamespace

import pytest
from controller import Controller
from visitors import Site, hear, say

pytestmark = [pytest.mark.timeout(1500), pytest.mark.scenario]

HOSTS = ("proxy1", "web1", "websocket1", "websocket2")
#: nginx gives a host that does not answer two seconds, three times, and then leaves it alone.
NOTICED_SECONDS = 30


@pytest.fixture(scope="module")
def cluster(laboratory, tmp_path_factory):
    """Provisioned with one WebSocket host, to which another one was added."""
    hosts = dict(zip(HOSTS, laboratory.boot(*HOSTS), strict=True))
    controller = Controller(
        tmp_path_factory.mktemp("cluster"), hosts.values(), laboratory.network,
        proxy=["proxy1"], web=["web1"], websocket=["websocket1"],
        redis=["websocket1"], postgresql=["websocket1"],
        address=hosts["proxy1"].address,
    )  # fmt: skip
    controller.play("site").expect_success()
    controller.add_host("websocket", "websocket2")
    added = controller.play("site").expect_success()
    certificate = hosts["proxy1"].ssh("cat /etc/nginx/stack.d/tls/self-signed-*.pem")
    site = Site(hosts["proxy1"].address, certificate)
    return SimpleNamespace(hosts=hosts, site=site, added=added)


def sockets_on(host) -> int:
    """Open connections from nginx to the host's WebSocket gunicorns."""
    listing = host.ssh(
        "ss --no-header --tcp state established '( sport = :8201 or sport = :8202 )'"
    )
    return len(listing.splitlines())


def test_clients_on_different_hosts_share_a_room(cluster):
    with ExitStack() as stack:
        clients = []
        # nginx may still leave a host alone that was cut off a moment ago.
        deadline = time.monotonic() + NOTICED_SECONDS
        both = [cluster.hosts[name] for name in ("websocket1", "websocket2")]
        while len(clients) < 8 or not all(sockets_on(host) for host in both):
            assert time.monotonic() < deadline, "all sockets are on one host"
            clients += [stack.enter_context(closing(cluster.site.connect("shared")))]
        say(clients[0], "to everybody")
        for client in clients:
            hear(client, "to everybody")


def test_every_host_has_the_same_release(cluster):
    releases = {cluster.hosts[name].ssh("readlink /srv/stack/current") for name in HOSTS[1:]}
    assert len(releases) == 1


def test_the_firewall_lets_nobody_else_in(cluster):
    outsider, data = cluster.hosts["proxy1"], cluster.hosts["websocket1"].address
    for port in (5432, 6379):
        assert "refused" in outsider.ssh(reach(data, port)), port
        assert "open" in cluster.hosts["web1"].ssh(reach(data, port)), port
    assert "refused" in cluster.hosts["web1"].ssh(reach(data, 8201))
    assert "open" in outsider.ssh(reach(data, 8201))


def test_new_clients_land_on_the_host_that_is_left(cluster):
    lost = cluster.hosts["websocket2"]
    lost.set_cable(plugged=False)
    try:
        deadline = time.monotonic() + NOTICED_SECONDS
        for _ in range(6):
            cluster.site.chat("left", f"still here at {time.monotonic()}")
        assert time.monotonic() < deadline
    finally:
        lost.set_cable(plugged=True)
    lost.wait()


def test_another_host_changes_on_the_others_what_follows_from_it_and_nothing_else(cluster):
    changed = dict(cluster.added.changed)
    assert changed.pop("websocket2") > 0
    # nginx's upstreams; the firewall and who may ask PostgreSQL, each with its reload.
    assert changed == {"proxy1": 2, "websocket1": 4, "web1": 0}


def reach(address: str, port: int) -> str:
    """A shell command that says whether a port can be reached."""
    return (
        f"timeout 3 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo open || echo refused"
    )
