import pytest
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.urls import NoReverseMatch

pytestmark = pytest.mark.usefixtures("sockets_urlconf")


@pytest.fixture
def sockets_urlconf():
    with override_settings(WEBSOCKET_URLCONF="support.named_urls", ALLOWED_HOSTS=["*"]):
        yield


def request(**extra):
    return RequestFactory().get("/page/", **extra)


def render(source, **context):
    return Template("{% load websockets %}" + source).render(Context(context))


def test_tag_with_keyword_and_positional_arguments():
    assert render("{% websocket_url 'room' room=name %}", name="lobby") == "/chat/lobby/"
    assert render("{% websocket_url 'room' name %}", name="lobby") == "/chat/lobby/"


def test_tag_as_variable():
    assert render("{% websocket_url 'plain' as url %}<{{ url }}>") == "</plain/>"


def test_tag_uses_the_page_s_request():
    page = request(HTTP_HOST="a.example")
    assert render("{% websocket_url 'plain' %}", request=page) == "ws://a.example/plain/"


def test_tag_escapes():
    assert render("{% websocket_url 'any' '&' %}") == "/any/&amp;"


def test_namespace():
    assert render("{% websocket_url 'first:plain' %}") == "/first/plain/"
    assert render("{% websocket_url 'second:plain' %}") == "/second/plain/"


def test_application_namespace_follows_the_page_s_own_instance():
    page = request(HTTP_HOST="a.example")
    page.current_app = "second"
    assert render("{% websocket_url 'inner:plain' %}", request=page).endswith("/second/plain/")


def test_tag_raises_for_an_unknown_name():
    with pytest.raises(NoReverseMatch):
        render("{% websocket_url 'nowhere' %}")
