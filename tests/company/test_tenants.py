"""django-tenants: the middleware chooses a schema by the host's name, for the connection."""

import json
import os
import subprocess

import pytest

from support.company.environments import environment
from support.company.site import front
from support.postgresql import postgresql
from support.server import OUR_WORKER, STOCK_WORKER
from support.visitors import Visitor

pytestmark = pytest.mark.timeout(300)

HOSTS = {"acme": "acme.localhost", "globex": "globex.localhost", "public": "localhost"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    names = {"server_name localhost": "server_name .localhost localhost"}
    state = tmp_path_factory.mktemp("tenants") / "state"
    with postgresql() as url, front(state, changes=names) as site:
        site.environ |= {
            "DJANGO_SETTINGS_MODULE": "support.company.tenants.settings",
            "DATABASE_URL": url,
        }
        run(site, "prepare")
        yield site


def run(site, module):
    """What a module of the tenants' project prints."""
    return subprocess.run(
        [environment("tenants"), "-m", f"support.company.tenants.{module}"],
        env=os.environ | site.environ, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip


@pytest.fixture(
    scope="module",
    params=[(OUR_WORKER, None), (OUR_WORKER, 2), (STOCK_WORKER, 2)],
    ids=["worker", "worker-pool", "stock-pool"],
)
def server(request, site):
    worker, pool = request.param
    environ = {"WEBSOCKET_WORKER_CLASS": worker}
    if pool:
        environ["TENANTS_POOL"] = str(pool)
    with site.gunicorn("websocket", environment("tenants"), **environ) as server:
        yield server


def options(server, tenant):
    host = f"{HOSTS[tenant]}:{server.address[1]}"
    return {"host": host, "origin": f"http://{host}"}


def connect(server, tenant):
    return server.connect("/company/people/", **options(server, tenant))


def ask(client, question="now"):
    client.send(question)
    return json.loads(client.recv())


@pytest.mark.parametrize("tenant", HOSTS)
def test_a_socket_reads_its_tenant_s_tables(server, tenant):
    """Also after its connection was given back, which is done whenever it waits."""
    client = connect(server, tenant)
    assert [ask(client) for _ in range(3)] == [[tenant, tenant]] * 3
    client.close()


def test_sockets_of_several_tenants_at_once_read_their_own(server):
    """More sockets than the pool has connections, their queries interleaved."""
    sockets = [(tenant, connect(server, tenant)) for tenant in [*HOSTS] * 3]
    for _ in range(5):
        for _, client in sockets:
            client.send("slow")
        assert [json.loads(client.recv()) for _, client in sockets] == [
            [tenant, tenant] for tenant, _ in sockets
        ]
    for _, client in sockets:
        client.close()


def test_the_test_client_agrees_with_the_workers(site):
    assert json.loads(run(site, "client")) == [
        [tenant, tenant] for tenant in [*HOSTS] * 2 for _ in range(3)
    ]


@pytest.mark.parametrize("server", [(OUR_WORKER, 2)], indirect=True, ids=["worker-pool"])
def test_what_is_said_in_the_chat_stays_in_the_tenant_s_schema(server):
    with Visitor(server, "lobby", "Ann", **options(server, "acme")) as ann:
        ann.say("for acme alone")
    assert ask(connect(server, "acme"), "chat") == ["acme", "for acme alone"]
    assert ask(connect(server, "globex"), "chat") == ["globex"]
