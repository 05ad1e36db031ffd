"""A middleware chooses the pages by the host; WEBSOCKET_URLCONF gives each its sockets."""

import json

import pytest
import websocket
from django.test import RequestFactory, override_settings
from django.urls import NoReverseMatch, set_urlconf

from django_websocket.urlresolvers import reverse_websocket, sockets_urlconf
from support.newcomer import SETTINGS, Project
from support.server import OUR_WORKER, STOCK_WORKER

HOSTS = """
    from django.http import HttpResponse
    from django.urls import set_urlconf
    class Hosts:
        def __init__(self, get_response):
            self.get_response = get_response
        def __call__(self, request):
            name = request.get_host().partition(".")[0]
            if name in ("shop", "empty"):
                request.urlconf = f"{name}_pages"
            return self.get_response(request)
"""
PAGE = """
    from django.http import HttpResponse
    from django.shortcuts import render
    from django.template import engines
    from django.urls import path
    def page(request):
        source = "{% load websockets %}{% websocket_url 'echo' %}"
        return HttpResponse(engines.all()[0].from_string(source).render({}, request))
    def login(request):
        return HttpResponse("Log in here.")
"""
SOCKETS = """
    from django.contrib.auth.decorators import login_required
    from django.urls import path, reverse
    from django_websocket import reverse_websocket, websocket
    @websocket
    def echo(request, websocket):
        for message in websocket:
            websocket.send_json([NAME, reverse("login"), reverse_websocket("echo")])
"""
MODULES = {
    "hosts": HOSTS,
    "pages": PAGE + '    urlpatterns = [path("", page), path("login/", login, name="login")]',
    "shop_pages": PAGE + '    urlpatterns = [path("", page), path("enter/", login, name="login")]',
    "empty_pages": PAGE + '    urlpatterns = [path("", page), path("in/", login, name="login")]',
    "sockets": SOCKETS.replace("NAME", '"main"')
    + '    urlpatterns = [path("echo/", echo, name="echo"),'
    ' path("private/", login_required(echo))]',
    "shop_sockets": SOCKETS.replace("NAME", '"shop"')
    + '    urlpatterns = [path("shop/echo/", echo, name="echo"),'
    ' path("private/", login_required(echo))]',
}
NAMED = {"pages": "sockets", "shop_pages": "shop_sockets"}


@pytest.fixture
def project(tmp_path):
    def make(urlconf):
        settings = {
            "WEBSOCKET_URLCONF": urlconf,
            "ALLOWED_HOSTS": [".localhost"],
            "LOGIN_URL": "login",
            "MIDDLEWARE": [
                "hosts.Hosts",
                "django.contrib.sessions.middleware.SessionMiddleware",
                *SETTINGS["MIDDLEWARE"],
                "django.contrib.auth.middleware.AuthenticationMiddleware",
            ],
            "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
            "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        }
        return Project(tmp_path, settings, MODULES)

    return make


def ask(server, host, path):
    client = server.connect(path, host=host, origin=f"http://{host}")
    client.send("which?")
    return json.loads(client.recv())


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def test_each_host_has_its_sockets(project, worker):
    with project(NAMED).serve("wsgi:websocket", worker) as server:
        assert ask(server, "www.localhost", "/echo/") == ["main", "/login/", "/echo/"]
        assert ask(server, "shop.localhost", "/shop/echo/") == ["shop", "/enter/", "/shop/echo/"]


def test_one_urlconf_serves_the_sockets_of_all_hosts(project):
    with project("sockets").serve() as server:
        assert ask(server, "www.localhost", "/echo/") == ["main", "/login/", "/echo/"]
        assert ask(server, "shop.localhost", "/echo/") == ["main", "/enter/", "/echo/"]


@pytest.mark.parametrize(("host", "page"), [("www", "/login/"), ("shop", "/enter/")])
def test_who_is_not_logged_in_is_sent_to_a_page_of_the_host(project, host, page):
    with project(NAMED).serve() as server:
        response = server.handshake("/private/", Host=f"{host}.localhost")
    assert response.headers["Location"] == f"{page}?next=/private/"


def test_a_host_without_sockets_says_so(project):
    with project(NAMED).serve() as server:
        with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
            ask(server, "empty.localhost", "/echo/")
        server.wait_for_log("names no sockets for request.urlconf = 'empty_pages'")


def test_pages_link_to_the_sockets_of_their_host(project):
    with project(NAMED).serve("wsgi:application", "gthread") as server:
        for host, path in [("www.localhost", "/echo/"), ("shop.localhost", "/shop/echo/")]:
            assert server.get("/", Host=host).body.decode() == f"ws://{host}{path}"
        assert server.get("/", Host="empty.localhost").status == 500
        server.wait_for_log("WEBSOCKET_URLCONF names no sockets for the urlconf")


def test_every_urlconf_is_checked_and_loaded(project):
    mine = project({"pages": "sockets", "shop_pages": "nowhere"})
    done = mine.manage("check")
    assert "django_websocket.E002" in done.stdout
    assert "'nowhere'" in done.stdout
    with mine.serve() as server:
        assert server.process.wait(60) != 0
    assert "WEBSOCKET_URLCONF: 'nowhere' cannot be used" in server.log


@pytest.mark.parametrize("value", [{}, {"pages": 7}, {7: "sockets"}, {"pages": ""}])
def test_a_mapping_of_something_else(project, value):
    assert "django_websocket.E001" in project(value).manage("check").stdout


# Without a server


@pytest.fixture
def named():
    urlconfs = {"project.urls": "support.named_urls", "support.site.urls": "support.bad_urls"}
    with override_settings(WEBSOCKET_URLCONF=urlconfs, ROOT_URLCONF="project.urls"):
        yield


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("pages", "found"),
    [
        (None, "support.named_urls"),
        ("project.urls", "support.named_urls"),
        ("support.site.urls", "support.bad_urls"),
        ("support.bad_urls", "support.bad_urls"),
        ("elsewhere", ()),
    ],
)
def test_which_sockets_belong_to_which_pages(pages, found):
    assert sockets_urlconf(pages) == found


@pytest.mark.usefixtures("named")
def test_without_a_request_the_urlconf_in_use_counts():
    assert reverse_websocket("plain") == "/plain/"
    try:
        set_urlconf("elsewhere")
        with pytest.raises(NoReverseMatch, match="WEBSOCKET_URLCONF names no sockets"):
            reverse_websocket("plain")
        request = RequestFactory().get("/")
        assert reverse_websocket("plain", request=request).endswith("/plain/")
    finally:
        set_urlconf(None)
