"""django-hosts: its middleware sets request.urlconf to the pages of the host."""

import json

import pytest
import websocket

from support.company.environments import environment
from support.company.site import front
from support.server import OUR_WORKER, STOCK_WORKER

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    names = {"server_name localhost": "server_name .localhost localhost"}
    with front(tmp_path_factory.mktemp("hosts") / "state", changes=names) as site:
        site.environ |= {"DJANGO_SETTINGS_MODULE": "support.company.hosts.settings"}
        yield site


@pytest.fixture(scope="module", params=[OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def server(request, site):
    environ = {"WEBSOCKET_WORKER_CLASS": request.param}
    with site.gunicorn("websocket", environment("hosts"), **environ) as server:
        yield server


def connect(server, name, path):
    host = f"{name}localhost:{server.address[1]}"
    return server.connect(path, host=host, origin=f"http://{host}")


def test_the_main_host_has_the_sockets_of_the_project(server):
    client = connect(server, "", "/echo/")
    client.send("hello")
    assert client.recv() == "hello"


def test_another_host_has_sockets_of_its_own(server):
    assert json.loads(connect(server, "shop.", "/stock/").recv()) == ["shop", "/enter/", "/stock/"]


@pytest.mark.parametrize("server", [OUR_WORKER], indirect=True, ids=["our"])
def test_the_main_host_has_no_sockets_of_the_other(server):
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        connect(server, "", "/stock/")


@pytest.mark.parametrize("server", [OUR_WORKER], indirect=True, ids=["our"])
def test_a_refused_visitor_is_sent_to_the_login_page_of_the_host(server):
    response = server.handshake("/private/", Host=f"shop.localhost:{server.address[1]}")
    assert response.headers["Location"] == "/enter/?next=/private/"


def test_a_page_links_to_the_socket_of_its_host(site):
    with site.gunicorn("http", environment("hosts")) as server:
        host = f"shop.localhost:{server.address[1]}"
        assert server.get("/link/", Host=host).body.decode() == f"ws://{host}/stock/"
