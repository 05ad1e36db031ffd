"""Tools that replace ``WSGIHandler.__call__`` see a handshake as one request, and nothing more."""

import json

import pytest
import websocket

from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for
from support.site import prepare


@pytest.fixture(
    scope="module",
    params=[
        (OUR_WORKER, "iterable"),
        (OUR_WORKER, "generator"),
        (OUR_WORKER, "list"),
        (STOCK_WORKER, "iterable"),
        (STOCK_WORKER, "generator"),
    ],
    ids=lambda param: f"{'our' if param[0] == OUR_WORKER else 'stock'}-{param[1]}",
)
def server(request, tmp_path_factory):
    worker, tracer = request.param
    tmp_path = tmp_path_factory.mktemp("traced")
    env = {"SITE_DATABASE": f"sqlite:///{tmp_path / 'db.sqlite3'}"}
    prepare(env, users=0)
    env["SITE_TRACER"] = tracer
    with serve("support.site.traced:websocket", worker, tmp_path / "log", env) as server:
        server.ours = worker == OUR_WORKER
        yield server


def signals(server):
    return json.loads(server.connect("/noted/").recv())


def test_a_socket_lives_and_its_handshake_is_over_before(server):
    client = server.connect("/echo/")
    client.send("hello")
    assert client.recv() == "hello"
    assert "traced /echo/ 101" in signals(server)
    client.close()


def test_what_a_view_raises_after_its_handshake_arrives_with_the_request(server):
    client = server.connect("/fails/")
    wait_for(lambda: "traced /fails/ 101" in signals(server), "the end of the handshake")
    client.send("go")
    opcode, data = client.recv_data()
    assert (opcode, data) == (websocket.ABNF.OPCODE_CLOSE, (1011).to_bytes(2, "big"))
    wait_for(lambda: "/fails/ raised RuntimeError" in signals(server), "the signal")
    assert signals(server).count("traced /fails/ 101") == 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/private/", 302, 4401), ("/nowhere/", 404, 4404), ("/echo", 301, 4401)],
)
def test_a_refusal_goes_out_as_ever(server, path, status, code):
    if server.ours:
        assert server.handshake(path).status == status
    else:
        opcode, data = server.connect(path).recv_data()
        assert (opcode, data[:2]) == (websocket.ABNF.OPCODE_CLOSE, code.to_bytes(2, "big"))
    wait_for(lambda: f"traced {path} {status}" in signals(server), "the end of the request")


def test_a_refusal_by_close_code(server):
    opcode, data = server.connect("/private-by-code/").recv_data()
    assert (opcode, data[:2]) == (websocket.ABNF.OPCODE_CLOSE, (4401).to_bytes(2, "big"))
    wait_for(lambda: "traced /private-by-code/ 302" in signals(server), "the end of the request")


def test_a_plain_request(server):
    assert server.get("/echo/").status == 426
    wait_for(lambda: "traced /echo/ 426" in signals(server), "the end of the request")
