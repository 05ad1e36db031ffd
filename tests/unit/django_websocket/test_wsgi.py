"""The WebSocket application in a live gunicorn, on our worker and on gevent-websocket's."""

import contextlib
import json
import sqlite3

import pytest
import websocket

from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for
from support.site import prepare
from support.site.values import SEEN


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The file of a migrated database and two users who are logged in: environment, cookies."""
    database = tmp_path_factory.mktemp("site") / "db.sqlite3"
    env = {"SITE_DATABASE": f"sqlite:///{database}"}
    return database, env, prepare(env, users=2)


@pytest.fixture(scope="module", params=[OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def server(request, site, tmp_path_factory):
    database, env, cookies = site
    log = tmp_path_factory.mktemp("gunicorn") / "log"
    with serve("support.site.wsgi:websocket", request.param, log, env) as server:
        server.ours = request.param == OUR_WORKER
        server.database = database
        server.cookie, server.other_cookie = cookies
        yield server


@pytest.fixture(autouse=True)
def drop_clients(server):
    yield
    server.drop_clients()


def facts(server, path, **options):
    return json.loads(server.connect(path, **options).recv())


def seen_signals(server):
    return json.loads(server.connect("/noted/").recv())


def wait_for_signal(server, mark):
    wait_for(lambda: mark in seen_signals(server), f"signal {mark!r}")


def close_code(client):
    opcode, data = client.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    return int.from_bytes(data[:2], "big"), data[2:].decode()


def refusal(server, path, **headers):
    """HTTP status on our worker; close code on the stock one, which has accepted by then."""
    if not server.ours:
        return close_code(server.connect(path, header=headers, suppress_origin=True))[0]
    response = server.handshake(path, **headers)
    assert response.headers["Connection"].lower() == "close"
    return response.status


def test_echo_of_text_and_binary(server):
    client = server.connect("/echo/")
    client.send("grüße ☂")
    assert client.recv() == "grüße ☂"
    client.send_binary(b"\x00\xff")
    assert client.recv() == b"\x00\xff"


def test_plain_http_request_gets_426(server):
    response = server.get("/echo/")
    assert response.status == 426
    assert response.headers["Upgrade"] == "websocket"
    assert "close" in response.headers["Connection"].lower()
    assert b"WebSocket" in response.body


@pytest.mark.parametrize(
    ("path", "kwargs"),
    [
        ("/facts/", {}),
        ("/facts/lobby/7/", {"room": "lobby", "number": 7}),
        ("/regular/word/", {"word": "word"}),
        ("/included/facts/", {}),
    ],
)
def test_urlconf_and_middleware(server, path, kwargs):
    found = facts(server, path)
    assert found["path"] == path
    assert found["kwargs"] == kwargs
    assert found["user"] == "AnonymousUser"
    assert found["same"] is True


def test_view_runs_outside_of_atomic_requests(server):
    assert facts(server, "/facts/")["atomic"] is False


def test_logged_in_user_passes_login_required(server):
    assert facts(server, "/private/", cookie=server.cookie)["user"] == "user0"


def test_anonymous_user_is_refused_by_login_required(server):
    assert refusal(server, "/private/") == (302 if server.ours else 4401)


def test_login_required_redirects_to_a_page_of_the_root_urlconf(server):
    if not server.ours:
        pytest.skip("the stock worker has sent the 101 before Django runs")
    response = server.handshake("/private/")
    assert response.headers["Location"] == "/login/?next=/private/"


def test_permission_required(server):
    assert refusal(server, "/permitted/", Cookie=server.cookie) == (403 if server.ours else 4403)


def test_unknown_path(server):
    assert refusal(server, "/nowhere/") == (404 if server.ours else 4404)


def test_foreign_origin_is_refused_and_logged(server):
    refused = refusal(server, "/echo/", Origin="https://evil.example")
    assert refused == (403 if server.ours else 4403)
    server.wait_for_log("https://evil.example")
    assert "WEBSOCKET_ALLOWED_ORIGINS" in server.log


def test_missing_slash_is_redirected_as_for_pages(server):
    assert refusal(server, "/echo") == (301 if server.ours else 4401)


def test_the_middleware_has_finished_when_the_view_begins(server):
    seen = facts(server, "/facts/", header={"Accept-Language": "de"})
    assert seen["middleware is done"]
    assert seen["language"] == "de"


def test_cookies_of_the_middleware_go_out_with_the_101(server):
    if not server.ours:
        pytest.skip("the stock worker has sent the 101 before Django runs")
    headers = server.connect("/private/", cookie=server.cookie).handshake_response.headers
    assert headers["set-cookie"].startswith('last-path="/private/"; Path=/; sessionid=')
    assert "content-length" not in headers


def test_middleware_may_handle_what_a_view_raises(server):
    assert close_code(server.connect("/busy/"))[0] == 4429


def test_middleware_that_fails_with_the_view_closes_with_1011(server):
    assert close_code(server.connect("/broken/"))[0] == 1011


def test_view_error_closes_with_1011_and_is_logged_like_any_view_error(server):
    before = seen_signals(server).count("got_request_exception")
    client = server.connect("/fails/")
    client.send("go")
    assert close_code(client) == (1011, "")
    server.wait_for_log("RuntimeError: the secret of the view")
    assert "Internal Server Error: /fails/" in server.log
    assert seen_signals(server).count("got_request_exception") == before + 1


@pytest.mark.parametrize(("path", "code"), [("/not-found/", 4404), ("/forbidden/", 4403)])
def test_exceptions_with_a_status_close_with_its_code(server, path, code):
    assert close_code(server.connect(path))[0] == code


def test_returning_a_response_after_the_upgrade_is_an_error_that_says_so(server):
    assert close_code(server.connect("/returns/"))[0] == 1011
    server.wait_for_log("refuse before the upgrade in a decorator above @websocket")


def test_view_that_returns_closes_with_1000(server):
    client = server.connect("/facts/")
    client.recv()
    assert close_code(client) == (1000, "")


def test_first_close_counts(server):
    assert close_code(server.connect("/closes/")) == (4000, "bye, ☂")


def test_what_no_close_frame_may_say_is_refused_and_the_socket_stays_open(server):
    client = server.connect("/closes-wrongly/")
    found = [client.recv() for _ in range(4)]
    assert found[0] == "ValueError: a close code is 1000 to 1014 or 3000 to 4999, found 999"
    assert found[1].endswith("found 1006")
    assert found[2].startswith("ValueError: a close reason has at most 123 bytes")
    assert found[3].startswith("TypeError: expected a close code and a str, found 1000 and 5")
    assert close_code(client) == (1000, "")


def test_client_that_leaves_a_sending_view_is_no_error(server):
    client = server.connect("/keeps-sending/")
    client.send("go")
    client.recv()
    client.shutdown()
    wait_for_signal(server, "keeps_sending left")


def test_socket_does_not_write_back_the_session_it_started_with(server):
    """SESSION_SAVE_EVERY_REQUEST is on; the user logs out while the socket is open."""
    key = server.other_cookie.partition("=")[2]
    client = server.connect("/session/", cookie=server.other_cookie)
    client.send("set")
    client.recv()
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        change = "UPDATE django_session SET session_data = 'elsewhere' WHERE session_key = ?"
        database.execute(change, [key])
        database.commit()
        client.shutdown()
        server.wait_for_log("/session/ changed the session and did not save it")
        wait_for_signal(server, "session left")
        look = "SELECT session_data FROM django_session WHERE session_key = ?"
        assert database.execute(look, [key]).fetchone() == ("elsewhere",)


@pytest.mark.parametrize("kind", ["anew", "streaming", "switching"])
def test_a_101_that_somebody_has_rebuilt_is_an_error_that_says_so(server, kind):
    assert refusal(server, "/echo/", **{"X-Rebuild": kind}) == (500 if server.ours else 1011)
    server.wait_for_log("is not the response of @websocket: a middleware or a decorator")


def test_a_101_of_another_request_is_an_error_that_says_so(server):
    first = server.connect("/echo/", header={"X-Rebuild": "stale"})
    assert refusal(server, "/echo/", **{"X-Rebuild": "stale"}) == (500 if server.ours else 1011)
    server.wait_for_log("belongs to another request: a middleware or a decorator has kept it")
    first.send("hello")
    assert first.recv() == "hello"


@pytest.mark.parametrize("kind", ["switching", "early"])
def test_an_interim_status_is_no_answer_to_a_plain_request(server, kind):
    assert server.get("/echo/", **{"X-Rebuild": kind}).status == 500


def test_an_interim_status_is_no_answer_to_a_handshake(server):
    assert refusal(server, "/echo/", **{"X-Rebuild": "early"}) == (500 if server.ours else 1011)
    server.wait_for_log("has the status 103, which is not a final response")


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("forbidden", 403, 4403), ("answered", 200, 1008)]
)
def test_what_replaces_a_101_counts(server, kind, status, code):
    assert refusal(server, "/echo/", **{"X-Rebuild": kind}) == (status if server.ours else code)


def test_a_handshake_that_is_answered_with_a_page_is_logged(server):
    if not server.ours:
        pytest.skip("the stock worker has sent the 101 before Django runs")
    refusal(server, "/echo/", **{"X-Rebuild": "answered"})
    server.wait_for_log("The handshake on /echo/ was answered with a page (200)")


def test_a_copy_of_the_response_is_as_good(server):
    client = server.connect("/echo/", header={"X-Rebuild": "copied"})
    client.send("hello")
    assert client.recv() == "hello"


def test_json_is_what_django_writes_and_null_ends_no_loop(server):
    client = server.connect("/values/")
    assert json.loads(client.recv()) == SEEN
    for value in (None, {"a": [1]}, "ä"):
        client.send(json.dumps(value))
        assert json.loads(client.recv()) == ["found", value]


def test_a_client_that_sends_no_json_is_closed_with_1007_and_nothing_has_failed(server):
    client = server.connect("/values/")
    client.recv()
    client.send("{")
    assert close_code(client) == (1007, "expected JSON")
    server.wait_for_log("Closing /values/: the client sent invalid JSON")
    assert "/values/ raised InvalidJSON" not in seen_signals(server)


def test_a_view_may_answer_what_is_no_json(server):
    client = server.connect("/patient/")
    for text in ("{", "NaN", "[" * 100_000):
        client.send(text)
        assert json.loads(client.recv())[0] == "refused"
    client.send_binary(b"null")
    assert json.loads(client.recv()) == ["found", None]


def test_a_value_that_cannot_be_sent_is_refused_with_what_to_do(server):
    client = server.connect("/mistakes/")
    found = [client.recv() for _ in range(5)]
    assert found[0].endswith("found dict: to send it as JSON, use send_json()")
    assert found[1].endswith("found int: to send it as JSON, use send_json()")
    assert found[2].startswith("TypeError: ")
    assert "found object at ['rows'][1]" in found[2]
    assert found[3].startswith("ValueError: ")
    assert "found nan at ['price']" in found[3]
    assert "at [0]" in found[4]


def test_a_view_that_waits_for_json_ends_with_its_client(server):
    client = server.connect("/patient/")
    client.send("1")
    client.recv()
    client.close()
    server.wait_for_log("the patient one left")
    assert "/patient/ raised ConnectionClosed" not in seen_signals(server)


def walk(server, how):
    client = server.connect(f"/walks/{how}/")
    names = []
    while client.connected:
        opcode, data = client.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return names, int.from_bytes(data[:2], "big")
        names.append(data.decode())
        client.send("next")
    raise AssertionError("no close frame")


@pytest.mark.parametrize(
    ("how", "users", "code"), [("list", 2, 1000), ("atomic", 2, 1000), ("iterator", 1, 1011)]
)
def test_rows_are_to_be_read_before_the_view_waits(server, how, users, code):
    """As docs/explanation/how-it-works.md says of the database."""
    names, closed_with = walk(server, how)
    server.connect("/collected/").recv()  # SQLite is locked while a cursor has rows to give
    assert (names[:users], closed_with) == (["user0", "user1"][:users], code)
    assert len(names) >= users


def test_classic_view_without_a_decorator(server):
    client = server.connect("/raw/")
    client.send("still works")
    assert client.recv() == "still works"


def test_many_sockets_at_once(server):
    clients = [server.connect("/echo/") for _ in range(50)]
    for number, client in enumerate(clients):
        client.send(str(number))
    assert [client.recv() for client in clients] == [str(number) for number in range(50)]


def test_a_limit_that_the_worker_cannot_keep_is_refused_and_not_ignored(server):
    if server.ours:
        client = server.connect("/slow-echo/")
        client.send("within the limit")
        assert client.recv() == "within the limit"
    else:
        assert refusal(server, "/slow-echo/") == 1011
        server.wait_for_log("@websocket(receive_burst=…) needs django_websocket.worker")
