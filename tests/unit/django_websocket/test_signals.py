"""Signals of sockets, under the test client and on live workers."""

import json

import pytest
from django.test import override_settings

from django_websocket.connection.websocket import WebSocket
from django_websocket.signals import message_received, socket_closed, socket_opened
from django_websocket.test import WebSocketClient
from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for

# The test client lends a view the connections of the tests that have run before. What refuses a
# handshake renders the project's page for that.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static_files")]


@pytest.fixture(autouse=True)
def site():
    with override_settings(
        WEBSOCKET_URLCONF="support.site.signalled", MIDDLEWARE=[], WEBSOCKET_BROKER="memory://"
    ):
        yield


@pytest.fixture
def connected():
    """Connect a receiver until the test is over."""
    pairs = []

    def connect(signal, receiver, **options):
        pairs.append((signal, receiver))
        signal.connect(receiver, weak=False, **options)

    yield connect
    for signal, receiver in pairs:
        signal.disconnect(receiver)
        signal.disconnect(receiver, sender=WebSocket)


def test_they_come_in_order_with_their_request(connected):
    heard = []
    for name, signal in (
        ("opened", socket_opened), ("received", message_received), ("closed", socket_closed),
    ):  # fmt: skip

        def note(name=name, message=None, **kwargs):
            heard.append((name, kwargs["request"].path, message, kwargs["websocket"].close_code))

        connected(signal, note, sender=WebSocket)
    with WebSocketClient().connect("/echo/") as socket:
        for message in ("one", b"two"):
            socket.send(message)
            assert socket.receive() == message
        socket.close(4001)
    assert heard == [
        ("opened", "/echo/", None, None),
        ("received", "/echo/", "one", None),
        ("received", "/echo/", b"two", None),
        ("closed", "/echo/", None, 4001),
    ]


@pytest.mark.parametrize("signal", [socket_opened, message_received, socket_closed])
def test_a_receiver_that_fails_is_logged_and_the_socket_goes_on(connected, caplog, signal):
    def fail(**kwargs):
        raise RuntimeError("a receiver is broken")

    connected(signal, fail)
    with WebSocketClient().connect("/echo/") as socket:
        socket.send("still")
        assert socket.receive() == "still"
        socket.close()
    assert "a receiver is broken" in caplog.text


def test_a_view_that_fails_has_closed(connected):
    codes = []
    connected(socket_closed, lambda websocket, **kwargs: codes.append(websocket.close_code))
    with (
        pytest.raises(RuntimeError, match="the view"),
        WebSocketClient().connect("/fails/") as socket,
    ):
        socket.receive()
    assert codes == [1011]


@pytest.mark.parametrize("path", ["/refuses/", "/refuses-by-code/"])
def test_what_never_opened_sends_none(connected, path):
    heard = []
    for signal in (socket_opened, socket_closed):
        connected(signal, lambda **kwargs: heard.append(kwargs))
    with WebSocketClient().connect(path) as socket:
        socket.close()
    assert heard == []


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def test_on_a_live_worker(worker, tmp_path):
    env = {
        "DJANGO_SETTINGS_MODULE": "support.site.signalled_settings",
    }
    with serve("support.site.wsgi:websocket", worker, tmp_path / "log", env) as server:
        client = server.connect("/echo/")
        client.send("hello")
        assert client.recv() == "hello"
        client.close(4001)
        listener = server.connect("/heard/")

        def heard():
            listener.send("")
            return json.loads(listener.recv())

        wait_for(lambda: "closed /echo/" in heard(), heard)
        assert heard()[:3] == ["opened /echo/", "received hello", "closed /echo/"]
