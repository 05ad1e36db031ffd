"""One id through the logs of gunicorn and of the project, in lines and in JSON."""

import json
import logging
import os
import subprocess
import sys
from contextvars import Context

import pytest
from gunicorn.glogging import SafeAtoms

from django_websocket.logs import RequestFields, request_id
from support.redis import redis_server
from support.server import OUR_WORKER, ROOT, serve, wait_for

CONFIG = ROOT / "deploy" / "gunicorn" / "websocket.py"


def record(**attributes):
    made = logging.LogRecord("chat", logging.INFO, "chat.py", 1, "said", None, None)
    vars(made).update(attributes)
    return made


def test_a_record_gets_the_id_of_its_request():
    token = request_id.set("abc")
    try:
        filled, given = record(), record(request_id="own")
        assert all(RequestFields().filter(each) for each in (filled, given))
    finally:
        request_id.reset(token)
    assert (filled.request_id, given.request_id) == ("abc", "own")


def test_a_record_outside_of_requests_has_a_dash():
    found = record()
    Context().run(RequestFields().filter, found)
    assert found.request_id == "-"


def access(**atoms):
    """A record of gunicorn's access log, where an atom that is not there is a dash."""
    made = record(name="gunicorn.access")
    made.args = SafeAtoms(atoms)
    assert RequestFields().filter(made)
    return made


def test_a_line_of_the_access_log_always_has_an_id():
    assert access(s="200").request_id == "-"
    own = access(**{"{http_x_request_id}e": "own"})
    assert own.request_id == "own"  # of the middleware, as no proxy has sent one


def test_an_id_of_digits_stays_a_text():
    found = access(**{"{x-request-id}i": "0042", "{http_x_request_id}e": "0042", "s": "200"})
    assert (found.request_id, found.status) == ("0042", 200)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with redis_server() as redis:
        env = {
            "DJANGO_SETTINGS_MODULE": "support.site.logging_settings",
            "SITE_BROKER": redis.url,
            "STACK_LOG_FORMAT": "json",
            "PYTHONWARNINGS": "ignore",
        }
        log = tmp_path_factory.mktemp("logs") / "log"
        with serve(
            "support.site.wsgi:websocket", OUR_WORKER, log, env, "--config", str(CONFIG)
        ) as server:
            yield server


def logged(server):
    lines = [line for line in server.log.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def lines_of(server, request, count):
    def found():
        return [line for line in logged(server) if line.get("request_id") == request]

    wait_for(lambda: len(found()) >= count, lambda: server.log)
    return found()


def test_one_id_in_handshake_socket_publish_and_access_log(server):
    client = server.connect("/logs/", header={"X-Request-ID": "0123456789abcdef"})
    client.send("hello")
    assert client.recv() == "0123456789abcdef"
    client.close(4001)
    handshake, message, published, spawned, access = lines_of(server, "0123456789abcdef", 5)
    assert handshake["message"] == "the handshake"
    assert (message["message"], message["logger"], message["level"]) == ("hello", "site", "INFO")
    assert published["message"].startswith("Published ")
    assert spawned["message"] == "in a greenlet of the view's"
    assert access["logger"] == "gunicorn.access"
    expected = {"status": 101, "path": "/logs/", "close_code": 4001, "messages_received": 1}
    assert expected.items() <= access.items()


@pytest.mark.parametrize("sent", ["", "a b", 'a"b', "a" * 129, "ü"])
def test_an_id_that_does_not_look_like_one_is_replaced(server, sent):
    client = server.connect("/logs/", header={"X-Request-ID": sent})
    client.send("hello")
    given = client.recv()
    assert given != sent
    assert len(given) == 32
    client.close()
    assert len(lines_of(server, given, 5)) == 5  # the access log's, too


def test_every_line_of_the_server_is_json(server):
    for line in server.log.splitlines():
        assert json.loads(line)["time"], line


def test_pages_leave_the_access_log_to_nginx(tmp_path):
    config, log = CONFIG.with_name("http.py"), tmp_path / "log"
    env = {
        "DJANGO_SETTINGS_MODULE": "support.site.logging_settings",
        "SITE_BROKER": "memory://",
        "STACK_LOG_FORMAT": "json",
        "PYTHONWARNINGS": "ignore",
    }
    more = ("--config", str(config), "--threads", "1")
    with serve("support.site.wsgi:application", "gthread", log, env, *more) as server:
        for number in range(2):
            assert server.get(f"/nobody-{number}/").status == 404
        # With one thread, all that the first request logs comes before the second one's line.
        wait_for(lambda: "Not Found: /nobody-1/" in server.log)
        assert {line["logger"] for line in logged(server)} == {"gunicorn.error", "django.request"}


@pytest.mark.parametrize("name", ["http.py", "websocket.py"])
def test_an_unknown_format_is_said(name):
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", CONFIG.with_name(name), "--check-config"],
        env=os.environ | {"STACK_LOG_FORMAT": "JSON"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert """STACK_LOG_FORMAT: expected "line" or "json", found 'JSON'""" in done.stderr


def test_a_path_of_a_client_breaks_no_line(server):
    server.handshake("/nobody/%22%5C%0A%7B/?x=1")
    wait_for(lambda: any("/nobody/" in line.get("path", "") for line in logged(server)))
