"""django-allauth, django-axes and django-maintenance-mode, in the pages and in the sockets."""

import urllib.error

import pytest

from support.company.browser import Browser
from support.company.environments import environment
from support.company.site import MEMBER, serve_site
from support.company.visit import Visit, close_code, crowd, visit
from support.visitors import PASSWORD

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    state = tmp_path_factory.mktemp("accounts") / "state"
    settings = "support.company.accounts.settings"
    with serve_site(state, environment("accounts"), DJANGO_SETTINGS_MODULE=settings) as site:
        yield site


@pytest.fixture(scope="module")
def server(site):
    with site.gunicorn("websocket", environment("accounts")) as server:
        yield server


@pytest.fixture
def maintenance(site):
    """Switches the site's maintenance mode, which a file says."""
    state = site.state / "maintenance_mode"
    yield lambda on: state.write_text("1" if on else "0")
    state.write_text("0")


def test_sockets_behave_as_without_them(site, server):
    assert visit(site, server) == Visit()
    assert crowd(server) == {}


def test_a_socket_knows_who_has_logged_in_with_allauth_and_closes_when_they_log_out(site, server):
    browser = Browser(site)
    assert server.connect("/company/who/", cookie=browser.cookie).recv() == "AnonymousUser"
    browser.submit("allauth/login/", login=MEMBER, password=PASSWORD)
    socket = server.connect("/company/who/", cookie=browser.cookie)
    assert socket.recv() == MEMBER
    browser.submit("allauth/logout/")
    assert close_code(socket) == 4401


def test_a_socket_knows_who_has_just_signed_up(site, server):
    browser = Browser(site)
    password = {"password1": PASSWORD, "password2": PASSWORD}
    browser.submit("allauth/signup/", username="newcomer", email="new@example.org", **password)
    assert server.connect("/company/who/", cookie=browser.cookie).recv() == "newcomer"


def test_the_locked_out_are_locked_out_of_sockets_too(site, server):
    browser = Browser(site)
    browser.submit("allauth/signup/", username="locked", email="locked@example.org",
                   password1=PASSWORD, password2=PASSWORD)  # fmt: skip
    socket = server.connect("/company/who/", cookie=browser.cookie)
    assert socket.recv() == "locked"
    for name in ("wrong", "wrong again", "wrong once more"):
        socket.send(f"locked {name}")
        assert socket.recv() == "None"
    socket.send(f"locked {PASSWORD}")
    assert socket.recv() == "None", "the view's own authenticate() is locked as well"
    with pytest.raises(urllib.error.HTTPError) as refusal:
        Browser(site).log_in("locked", PASSWORD)
    with refusal.value as answer:
        assert answer.code == 429


def test_maintenance_refuses_handshakes_and_leaves_open_sockets_alone(server, maintenance):
    open_before = server.connect("/echo/")
    maintenance(on=True)
    answer = server.handshake("/echo/")
    assert (answer.status, answer.getheader("Retry-After")) == (503, "3600")
    open_before.send("still here")
    assert open_before.recv() == "still here"
    maintenance(on=False)
    assert server.handshake("/echo/").status == 101
