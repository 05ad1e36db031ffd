"""What anonymous clients send, in the log of a live server."""

import contextlib

import pytest
import websocket

from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for
from support.site import prepare


@pytest.fixture(scope="module", params=[OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    env = {"SITE_DATABASE": f"sqlite:///{folder / 'db.sqlite3'}"}
    (cookie,) = prepare(env, users=1)
    with serve("support.site.wsgi:websocket", request.param, folder / "log", env) as server:
        server.cookie = cookie
        server.get("/healthz")  # what the boot says is in the log
        yield server


def lines_of(server, path, host=None, **headers):
    """What the log says of a handshake that is refused, without the access log."""
    before = len(server.log)
    for asked in (path, "/the-end/"):
        with contextlib.suppress(websocket.WebSocketBadStatusException):
            server.connect(asked, header=headers, host=host, suppress_origin=True).recv()
        host, headers = None, {}
    wait_for(lambda: "Not Found: /the-end/" in server.log[before:], "the line after it")
    lines = server.log[before:].split("Not Found: /the-end/")[0].splitlines()
    return [line for line in lines if '"GET /' not in line]


@pytest.mark.parametrize(
    ("path", "headers", "said"),
    [
        ("/echo/", {"Origin": "https://evil.example"}, "'https://evil.example'"),
        ("/echo/", {"Origin": "https://evil.example/" + "x" * 7000}, "xxx...'"),
        ("/echo/", {"Origin": "\x85"}, r"xc2"),
        ("/split%0Aline%1B/" + "x" * 3000, {"Origin": "null"}, "the origin 'null'"),
        ("/echo/", {"host": "evil.example"}, "Invalid HTTP_HOST header: 'evil.example'"),
        ("/echo/", {"host": "evil.example", "Origin": "null"}, "Invalid HTTP_HOST header"),
        ("/echo/", {"host": "x" * 7000}, "Invalid HTTP_HOST header: 'xxx"),
        ("/nowhere%0Aelse/", {}, "Not Found: /nowhere"),
        ("/nowhere/" + "x" * 3000, {}, "Not Found: /nowhere/xxx"),
        ("/needs-permission/", {}, "/needs-permission/"),
        ("/needs-one-of-mine/", {}, "/needs-one-of-mine/"),
        ("/counts/?" + "a&" * 1500, {}, "The number of GET/POST parameters exceeded"),
    ],
)
def test_a_refusal_is_one_short_line_of_the_log(server, path, headers, said):
    lines = lines_of(server, path, **headers)
    assert len(lines) == 1, lines
    (line,) = lines
    assert said in line
    assert len(line) < 600
    assert line.isprintable()


def test_a_permission_that_a_decorator_of_django_asks_for(server):
    lines = lines_of(server, "/permitted/", Cookie=server.cookie)
    assert len(lines) == 1, lines
