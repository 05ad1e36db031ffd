"""docs/how-to/tokens.md: what it shows works as it says."""

import re
import sys
import types

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
from django.urls import path

from django_websocket import publish
from django_websocket.test import WebSocketClient
from support.server import ROOT


@pytest.fixture
def modules(monkeypatch):
    """The page's three files, as modules."""
    text = (ROOT / "docs/how-to/tokens.md").read_text()
    monkeypatch.setitem(sys.modules, "accounts", types.ModuleType("accounts"))
    found = {}
    for name, code in re.findall(r"   ```python\n   # accounts/(\w+)\.py\n(.*?)   ```", text, re.S):
        module = found[name] = types.ModuleType(f"accounts.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(re.sub(r"^   ", "", code, flags=re.M), module.__dict__)
    return found


@pytest.fixture
def site(modules, monkeypatch, settings):
    urls = types.ModuleType("accounts.urls")
    urls.urlpatterns = [
        path("token/", modules["views"].socket_token),
        path("feed/", modules["websockets"].feed),
    ]
    monkeypatch.setitem(sys.modules, urls.__name__, urls)
    settings.WEBSOCKET_BROKER = "memory://"
    settings.ROOT_URLCONF = settings.WEBSOCKET_URLCONF = urls.__name__


@pytest.fixture
def token(site, db):
    user = User.objects.create_user("ada")
    client = Client()
    client.force_login(user)
    return client.get("/token/").json()["token"]


def assert_is_adas(socket):
    publish(f"user.{User.objects.get(username='ada').pk}", "hello")
    assert socket.receive_json()["data"] == "hello"


def test_a_token_in_the_query_string_opens_the_socket(token):
    with WebSocketClient().connect(f"/feed/?token={token}") as socket:
        assert_is_adas(socket)


def test_a_token_in_a_header_opens_the_socket(token):
    headers = {"Authorization": f"Bearer {token}"}
    with WebSocketClient().connect("/feed/", headers=headers) as socket:
        assert_is_adas(socket)


def test_what_is_no_token_is_refused(site, token, db):
    forged = signing.dumps(User.objects.get().pk, salt="another")
    for wrong in ("", "?token=nonsense", f"?token={forged}"):
        assert WebSocketClient().connect(f"/feed/{wrong}").response.status_code == 401


def test_an_expired_token_and_a_user_who_was_shut_out_are_refused(token, monkeypatch):
    path = f"/feed/?token={token}"
    with monkeypatch.context() as later:
        now = signing.time.time()
        later.setattr(signing.time, "time", lambda: now + 61)
        assert WebSocketClient().connect(path).response.status_code == 401
    User.objects.update(is_active=False)
    assert WebSocketClient().connect(path).response.status_code == 401
