import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import websocket
from django.contrib.auth.models import User
from django.test import Client

from django_websocket import publish
from django_websocket.test import LiveServer
from support.server import PATIENCE, wait_for
from support.site.middleware import Answers

opened = []


@pytest.fixture(autouse=True)
def no_socket_is_left():
    yield
    while opened:
        opened.pop().shutdown()


@pytest.fixture
def site(settings, transactional_db):
    settings.WEBSOCKET_BROKER = "memory://"
    settings.WEBSOCKET_URLCONF = "support.site.websocket_urls"
    settings.ROOT_URLCONF = "support.site.urls"
    settings.LOGIN_URL = "login"
    settings.TEMPLATES = []
    server = LiveServer()
    yield server
    server.stop()


@pytest.fixture
def ada(site):
    return logged_in(site, "ada")


def logged_in(site, name):
    """A client of Django's that is logged in, and how its browser opens a socket."""
    client = Client()
    client.force_login(User.objects.create_user(name, password="old"))

    def connect(path, **options):
        cookies = "; ".join(f"{name}={m.value}" for name, m in client.cookies.items())
        return open_socket(site, path, cookie=cookies, **options)

    client.connect = connect
    return client


def open_socket(site, path, **options):
    url = site.url.replace("http", "ws", 1) + path
    client = websocket.create_connection(url, timeout=PATIENCE, **options)
    opened.append(client)
    return client


def close_code(client):
    opcode, data = client.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE, data
    return int.from_bytes(data[:2], "big")


def test_pages_and_sockets_are_on_one_port(site):
    with urllib.request.urlopen(f"{site.url}/login/") as answer:
        assert answer.status == 200
    client = open_socket(site, "/echo/")
    client.send("hello")
    assert client.recv() == "hello"
    client.close()


def test_static_files_are_found(site):
    with urllib.request.urlopen(f"{site.url}/static/django_websocket/websocket.js") as answer:
        assert b"export" in answer.read()


def test_a_refusal_goes_out_as_http(site):
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        open_socket(site, "/nowhere/")
    assert "\r\nlocation: /login/?next=/private-echo/\r\n" in answer(site, "/private-echo/")


def test_a_wrong_handshake_is_answered(site):
    assert answer(site, "/echo/", key="short").startswith("http/1.1 400 ")


def answer(site, path, key="dGhlIHNhbXBsZSBub25jZQ=="):
    """The answer to a handshake up to its end, in lower case."""
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
        sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        return sock.makefile("rb").read().decode().lower()


@pytest.mark.parametrize("path", ["/private-echo/", "/reads-a-channel/"])
def test_a_logout_closes_the_socket(ada, path):
    client = ada.connect(path)  # its view has perhaps not begun
    ada.logout()
    assert close_code(client) == 4401


@pytest.fixture
def answers(settings):
    """The answers to handshakes are held back until ``go_on`` is set."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "support.site.middleware.Answers"]
    Answers.held.clear()
    Answers.go_on.clear()
    yield Answers
    Answers.go_on.set()


def test_a_logout_during_a_long_handshake_closes_its_socket_and_delays_no_other(site, ada, request):
    eve = logged_in(site, "eve")
    other = eve.connect("/private-echo/")
    answers = request.getfixturevalue("answers")
    with ThreadPoolExecutor() as pool:
        opening = pool.submit(ada.connect, "/private-echo/")
        assert answers.held.wait(PATIENCE)
        ada.logout()
        eve.logout()
        assert close_code(other) == 4401
        answers.go_on.set()
        assert close_code(opening.result()) == 4401


def test_a_changed_password_closes_sockets(ada):
    client = ada.connect("/private-echo/")
    client.send("here")
    assert client.recv() == "here"
    user = User.objects.get()
    user.set_password("new")
    user.save()
    assert close_code(client) == 4401


def test_a_publish_of_the_test_reaches_the_socket(site):
    client = open_socket(site, "/subscribed/")
    wait_for(lambda: publish("news", "new") and has_data(client), "the message")
    assert '"new"' in client.recv()
    client.close()


def test_at_the_end_sockets_close_with_1012_and_nothing_is_left(settings, transactional_db):
    settings.WEBSOCKET_BROKER = "memory://"
    settings.WEBSOCKET_URLCONF = "support.site.websocket_urls"
    before = set(threading.enumerate())
    server = LiveServer()
    client = open_socket(server, "/echo/")
    client.send("here")
    assert client.recv() == "here"
    codes = []
    reader = threading.Thread(target=lambda: codes.append(close_code(client)))
    reader.start()
    server.stop()
    reader.join(PATIENCE)
    assert codes == [1012]
    wait_for(lambda: not left(before), "the end of all threads")


def left(before):
    new = {thread.name for thread in set(threading.enumerate()) - before}
    return new - {"django-websocket-chores"}  # the dispatcher's, which outlives a test


def has_data(client):
    client.sock.settimeout(0.05)
    try:
        return bool(client.sock.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        client.sock.settimeout(PATIENCE)
