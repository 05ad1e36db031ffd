"""Sockets obey the session within a second: two workers serve, a third process acts."""

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest
from django.contrib.auth.models import User

from django_websocket.auth.sessions import disconnect_user, recheck_permissions
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.message import pack
from support.redis import redis_server
from support.server import OUR_WORKER, ROOT, STOCK_WORKER, serve
from support.site import prepare

ACTOR = """
import json, sys, time
import django; django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.http import HttpRequest
from django_websocket.auth.sessions import disconnect_user, recheck_permissions
users = User.objects.order_by("pk")
view = Permission.objects.get(codename="view_user")
add = Permission.objects.get(codename="add_user")
readers, _ = Group.objects.get_or_create(name="readers")
readers.permissions.add(view)

def session(key):
    return import_module(settings.SESSION_ENGINE).SessionStore(key)

for line in sys.stdin:
    exec(json.loads(line), dict(globals()))
    print(time.time(), flush=True)
"""


@pytest.fixture(scope="module")
def broker():
    with redis_server() as broker:
        yield broker


@pytest.fixture(scope="module", params=[OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def site(request, broker, tmp_path_factory):
    """Two workers, the cookies of many users, and a way to act in a process of its own."""
    folder = tmp_path_factory.mktemp("site")
    env = {"SITE_DATABASE": f"sqlite:///{folder / 'db.sqlite3'}", "SITE_BROKER": broker.url}
    cookies = prepare(env, users=60)

    def act(script):
        """Seconds since the epoch, when it was done."""
        print(json.dumps(script), file=actor.stdin, flush=True)
        return float(actor.stdout.readline())

    app = "support.site.wsgi:websocket"
    with (
        serve(app, request.param, folder / "log1", env) as one,
        serve(app, request.param, folder / "log2", env) as two,
        subprocess.Popen(
            [sys.executable, "-c", ACTOR],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | env,
        ) as actor,
    ):  # fmt: skip
        yield (one, two), cookies, act
    assert actor.returncode == 0


@pytest.fixture
def pair(site):
    """Two users whom no other test has, as the act knows them, and their cookies."""
    _, cookies, _ = site
    mine = [cookies.pop(), cookies.pop()]
    script = f"user, other = users[{len(cookies) + 1}], users[{len(cookies)}]\n"
    return f"{script}mine, _ = Group.objects.get_or_create(name=f'of {{user.pk}}')\n", mine


def open_socket(server, cookie, path="/private-echo/"):
    client = server.connect(path, cookie=cookie)
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


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("user.user_permissions.add(view)", "user.user_permissions.remove(view)"),
        ("user.user_permissions.add(view)", "user.user_permissions.set([add])"),
        ("user.user_permissions.add(view)", "user.user_permissions.clear()"),
        ("user.user_permissions.add(view)", "view.user_set.remove(user)"),
        ("user.groups.add(readers)", "user.groups.remove(readers)"),
        ("user.groups.add(readers)", "readers.user_set.remove(user)"),
        ("mine.permissions.add(view); user.groups.add(mine)", "mine.permissions.clear()"),
        ("mine.permissions.add(view); user.groups.add(mine)", "view.group_set.remove(mine)"),
        ("mine.permissions.add(view); user.groups.add(mine)", "mine.delete()"),
        (
            "user.is_superuser = True; user.save()",
            "user.is_superuser = False; user.save(update_fields=['is_superuser'])",
        ),
        (
            "user.is_superuser = True; user.save()",
            "users.filter(pk=user.pk).update(is_superuser=False); recheck_permissions(user)",
        ),
        (
            "user.is_superuser = True; user.save()",
            "users.filter(pk=user.pk).update(is_superuser=False); recheck_permissions()",
        ),
    ],
    ids=[
        "remove", "set", "clear", "from the permission", "group", "from the group",
        "group's permissions", "from the permission's groups", "group deleted", "superuser",
        "told", "everyone told",
    ],
)  # fmt: skip
def test_a_socket_ends_with_the_permission_that_it_asks_for(site, pair, given, taken):
    servers, _, act = site
    users, (cookie, other_cookie) = pair
    act(f"{users}{given}\nother.user_permissions.add(view)")
    clients = [open_socket(server, cookie, "/asking/") for server in servers]
    others = [open_socket(server, other_cookie, "/asking/") for server in servers]
    others += [open_socket(server, cookie) for server in servers]  # whose view does not ask
    done = act(users + taken)
    assert [code(client) for client in clients] == [4403, 4403]
    assert time.time() - done < 1
    for client in others:
        client.send("still here")
        assert client.recv() == "still here"


HARMLESS = """
user.user_permissions.add(add)
user.user_permissions.remove(add)
user.groups.add(readers)
readers.permissions.remove(view)
readers.permissions.add(view)
user.last_name = "L"
user.save()
recheck_permissions()
with transaction.atomic():
    user.user_permissions.remove(view)
    user.user_permissions.add(view)
disconnect_user(other)
"""


def test_a_change_that_leaves_the_permission_closes_nothing(site, pair):
    servers, _, act = site
    users, (cookie, other_cookie) = pair
    act(f"{users}user.user_permissions.add(view)\nother.user_permissions.add(view)")
    client, other = (open_socket(servers[0], c, "/asking/") for c in (cookie, other_cookie))
    act(users + HARMLESS)
    assert code(other) == 4403
    client.send("still here")
    assert client.recv() == "still here"


def test_who_does_not_hold_the_permission_is_refused(request, site, pair):
    servers, _, act = site
    kind = request.node.callspec.params["site"]
    users, (cookie, _) = pair
    act(f"{users}user.user_permissions.add(add)")
    # The stock worker sends the 101 before Django runs.
    status = 403 if kind == OUR_WORKER else 101
    assert servers[0].handshake("/asking/", cookie=cookie).status == status
    client = servers[0].connect("/asking-by-code/", cookie=cookie)
    assert code(client) == 4403
    anonymous = servers[0].connect("/asking-by-code/")
    assert code(anonymous) == 4403


UNHEARD = """
users.filter(pk=user.pk).update(is_active=False)
view.user_set.through.objects.filter(user=other).delete()
"""


def test_what_is_missed_in_an_outage_and_not_kept_is_made_up_for(broker, site, pair):
    servers, cookies, act = site
    users, (cookie, other_cookie) = pair
    third = cookies.pop()
    act(f"{users}user.user_permissions.add(view)\nother.user_permissions.add(view)")
    clients = [open_socket(server, cookie) for server in servers]
    others = [open_socket(server, other_cookie, "/asking/") for server in servers]
    untouched = [open_socket(server, third) for server in servers]
    untouched += [open_socket(server, other_cookie) for server in servers]
    broker.cut_off()
    act(users + UNHEARD)
    with contextlib.closing(RedisBroker(broker.hidden_url)) as hidden:
        hidden.publish("django_websocket.auth.sessions", pack({"change": {"users": ["0"]}}), 0, 60)
    broker.mend()
    assert [code(client) for client in clients] == [4401, 4401]
    assert [code(client) for client in others] == [4403, 4403]
    for client in untouched:
        client.send("still here")
        assert client.recv() == "still here"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"code": 1006}, ValueError),
        ({"code": 999}, ValueError),
        ({"code": 1005}, ValueError),
        ({"code": 1015}, ValueError),
        ({"code": 5000}, ValueError),
        ({"code": "4000"}, TypeError),
        ({"code": 4000.0}, TypeError),
        ({"code": None}, TypeError),
        ({"reason": "x" * 124}, ValueError),
        ({"reason": "\N{UMBRELLA}" * 42}, ValueError),
        ({"reason": "\ud83d"}, ValueError),
        ({"reason": b"bytes"}, TypeError),
    ],
)
def test_what_cannot_be_sent_is_an_error_of_the_caller(arguments, error):
    with pytest.raises(error):
        disconnect_user(User(pk=1), **arguments)


def test_a_user_that_is_not_saved_has_no_sockets():
    for call in (disconnect_user, recheck_permissions):
        with pytest.raises(ValueError, match="save the user first"):
            call(User())


@pytest.mark.parametrize("user", [None, 5, "ada", [User(pk=1)], User])
def test_what_is_no_user_has_no_sockets(user):
    for call in (disconnect_user, recheck_permissions):
        with pytest.raises(TypeError, match="expected a user, found"):
            call(user)


def test_a_proxy_of_the_user_model_sends_signals_of_its_own(tmp_path):
    """It has to be known when Django is set up, as a project's models are."""
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "__init__.py").touch()
    (tmp_path / "people" / "models.py").write_text(
        "from django.contrib.auth.models import User\n"
        "class Person(User):\n    class Meta:\n        proxy = True\n"
    )
    script = (
        "from django.conf import settings; settings.configure(\n"
        "    INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes',\n"
        "                    'django_websocket', 'people'])\n"
        "import django; django.setup()\n"
        "from django.db.models.signals import post_delete, post_save\n"
        "from people.models import Person\n"
        "print(post_save.has_listeners(Person), post_delete.has_listeners(Person))"
    )
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'app'}:{tmp_path}"}
    run = [sys.executable, "-c", script]
    assert subprocess.check_output(run, env=env, text=True).split() == ["True", "True"]
