"""Sockets obey the session within a second: two workers serve, a third process acts."""

import os
import subprocess
import sys
import time

import pytest

from support.redis import redis_server
from support.server import OUR_WORKER, STOCK_WORKER, serve
from support.site import prepare

pytestmark = pytest.mark.timeout(60)

ACT = """
import django; django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django_websocket.sessions import disconnect_user
users = User.objects.order_by("pk")

def session(key):
    return import_module(settings.SESSION_ENGINE).SessionStore(key)
"""


@pytest.fixture(scope="module", params=[OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def site(request, tmp_path_factory):
    """Two workers, the cookies of many users, and a way to act in a process of its own."""
    folder = tmp_path_factory.mktemp("site")
    with redis_server() as broker:
        env = {"SITE_DATABASE": f"sqlite:///{folder / 'db.sqlite3'}", "SITE_BROKER": broker.url}
        cookies = prepare(env, users=12)

        def act(script):
            """Seconds since the epoch, when it was done."""
            output = subprocess.check_output(
                [sys.executable, "-c", f"{ACT}\n{script}\nimport time; print(time.time())"],
                env=os.environ | env,
            )
            return float(output)

        app = "support.site.wsgi:websocket"
        with (
            serve(app, request.param, folder / "log1", env) as one,
            serve(app, request.param, folder / "log2", env) as two,
        ):
            yield (one, two), cookies, act


@pytest.fixture
def pair(site):
    """Two users whom no other test has, as the act knows them, and their cookies."""
    _, cookies, _ = site
    mine = [cookies.pop(), cookies.pop()]
    return f"user, other = users[{len(cookies) + 1}], users[{len(cookies)}]\n", mine


def open_socket(server, cookie):
    client = server.connect("/private-echo/", cookie=cookie)
    client.send("here")
    assert client.recv() == "here"
    return client


def code(client):
    opcode, data = client.recv_data()
    assert opcode == 8
    return int.from_bytes(data[:2], "big")


LOGOUT = """
request = HttpRequest()
request.user, request.session = user, session({key!r})
logout(request)
"""


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (LOGOUT, 4401),
        ("user.set_password('new'); user.save()", 4401),
        ("user.is_active = False; user.save()", 4403),
        ("user.delete()", 4403),
        ("disconnect_user(user, 4000)", 4000),
    ],
    ids=["logout", "password", "deactivated", "deleted", "disconnect_user"],
)
def test_sockets_close_in_every_process(site, pair, script, expected):
    servers, _, act = site
    users, (cookie, other_cookie) = pair
    clients = [open_socket(server, cookie) for server in servers]
    others = [open_socket(server, other_cookie) for server in servers]
    done = act(users + script.format(key=cookie.partition("=")[2]))
    assert [code(client) for client in clients] == [expected, expected]
    assert time.time() - done < 1
    for client in others:
        client.send("still here")
        assert client.recv() == "still here"


NOTHING = """
user.last_name = "L"
user.save()
user.save(update_fields=["last_login"])
try:
    with transaction.atomic():
        user.is_active = False
        user.save()
        raise ValueError
except ValueError:
    pass
disconnect_user(other)
"""


def test_what_is_no_reason_closes_nothing(site, pair):
    servers, _, act = site
    users, (cookie, other_cookie) = pair
    client, other = (open_socket(servers[0], c) for c in (cookie, other_cookie))
    act(users + NOTHING)
    assert code(other) == 4403
    client.send("still here")
    assert client.recv() == "still here"
