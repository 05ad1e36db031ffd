import pytest
from django.test import RequestFactory, override_settings
from django.urls import NoReverseMatch

from django_websocket.urlresolvers import reverse_websocket

pytestmark = pytest.mark.usefixtures("sockets_urlconf")


@pytest.fixture
def sockets_urlconf():
    with override_settings(WEBSOCKET_URLCONF="support.named_urls", ALLOWED_HOSTS=["*"]):
        yield


def request(**extra):
    return RequestFactory().get("/page/", **extra)


def test_a_path_without_a_request():
    assert reverse_websocket("room", kwargs={"room": "lobby"}) == "/chat/lobby/"
    assert reverse_websocket("room", args=["lobby"]) == "/chat/lobby/"


def test_the_host_of_the_request():
    assert reverse_websocket("plain", request=request(HTTP_HOST="a.example:8080")) == (
        "ws://a.example:8080/plain/"
    )
    assert reverse_websocket("plain", request=request(HTTP_HOST="a.example", secure=True)) == (
        "wss://a.example/plain/"
    )


def test_the_server_setting_comes_first():
    for server in ("wss://sockets.example", "wss://sockets.example/"):
        with override_settings(WEBSOCKET_SERVER=server):
            assert reverse_websocket("plain", request=request()) == "wss://sockets.example/plain/"


def test_a_name_of_the_pages_is_no_name_of_a_socket():
    with pytest.raises(NoReverseMatch):
        reverse_websocket("admin:index")
