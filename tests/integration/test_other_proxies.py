"""docs/how-to/other-proxies.md: the files it shows, in the real proxies."""

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from support.ports import free_port
from support.server import OUR_WORKER, ROOT, Server, serve, wait_for

PAGE = ROOT / "docs/how-to/other-proxies.md"
PROXIES = {
    "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config"],
    "haproxy": ["haproxy", "-f"],
}


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """The project's two applications, each in a gunicorn of its own."""
    folder = tmp_path_factory.mktemp("sites")
    env = {"STATE_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "project.settings"}
    collect = [sys.executable, ROOT / "app/manage.py", "collectstatic", "--noinput"]
    subprocess.run(collect, check=True, capture_output=True, env=os.environ | env)
    with (
        serve("project.wsgi:application", "sync", folder / "pages.log", env) as pages,
        serve("project.wsgi:websocket", OUR_WORKER, folder / "sockets.log", env) as sockets,
    ):
        yield pages, sockets


@contextmanager
def running(proxy, sites, folder):
    text = re.search(rf"## {proxy}\n.*?```text\n(.*?)```", PAGE.read_text(), re.S | re.I)[1]
    pages, sockets = sites
    port = free_port()
    (folder / "app.css").write_text("body {}")
    for old, new in {
        ":80\n": f"127.0.0.1:{port}\n",
        ":80 {": f"http://127.0.0.1:{port} {{",
        "127.0.0.1:8000": "{}:{}".format(*pages.address),
        "127.0.0.1:8001": "{}:{}".format(*sockets.address),
        "/srv/site/static": str(folder),
    }.items():
        text = text.replace(old, new)
    if proxy == "caddy":
        text = "{\n\tadmin off\n\tauto_https off\n}\n" + text
    file = folder / proxy
    file.write_text(text)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PROXIES[proxy], file], stdout=output, stderr=output,
            env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin"},
        )  # fmt: skip
    server = Server(process, ("127.0.0.1", port), log)
    try:
        wait_for(lambda: accepts(server) and server.get("/healthz").status == 200, "the proxy")
        yield server
    finally:
        server.drop_clients()
        process.terminate()
        process.wait(30)


def accepts(server):
    with socket.socket() as client:
        return client.connect_ex(server.address) == 0


@pytest.fixture(scope="module", params=sorted(PROXIES))
def proxy(request, sites, tmp_path_factory):
    with running(request.param, sites, tmp_path_factory.mktemp(request.param)) as server:
        server.name = request.param
        yield server


def test_a_handshake_goes_to_the_sockets_and_a_page_to_the_pages(proxy):
    client = proxy.connect("/echo/")
    client.send("hello")
    assert "hello" in client.recv()
    page = proxy.get("/echo/")
    assert page.status == 200
    assert "text/html" in page.headers["Content-Type"]


@pytest.mark.parametrize(
    "headers", [{"Connection": "keep-alive, Upgrade"}, {"Upgrade": "WebSocket"}], ids=str
)
def test_each_form_of_a_handshake_goes_to_the_sockets(proxy, headers):
    """``keep-alive, Upgrade`` is Firefox's."""
    assert proxy.handshake("/echo/", **headers).status == 101


@pytest.mark.parametrize(
    "headers",
    [{"Upgrade": "h2c"}, {"Upgrade": "websocket", "Connection": "keep-alive"}, {"Upgrade": "x"}],
)
def test_half_a_handshake_goes_to_the_pages(proxy, headers):
    response = proxy.get("/echo/", **headers)
    assert response.status == 200
    assert "text/html" in response.headers["Content-Type"]


def test_a_page_of_the_site_may_open_a_socket_and_another_site_s_may_not(proxy):
    host = "{}:{}".format(*proxy.address)
    assert proxy.connect("/echo/", origin=f"http://{host}").connected
    refused = proxy.handshake("/echo/", Origin="https://evil.example")
    assert refused.status == 403


def test_a_client_cannot_claim_another_address(proxy, sites):
    client = proxy.connect("/echo/?claim", header={"X-Forwarded-For": "203.0.113.66"})
    client.close()
    _, sockets = sites
    sockets.wait_for_log("/echo/?claim")
    assert "203.0.113.66" not in sockets.log


def test_caddy_serves_static_files(proxy):
    if proxy.name != "caddy":
        pytest.skip("HAProxy serves no files")
    assert proxy.get("/static/app.css").body == b"body {}"
