import inspect
import re

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils.html import escape

from chat.models import RoomQuerySet
from examples import websockets
from examples.views import MODULES, NAMES, SOCKETS, source_of
from support.server import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static_files")]


def test_the_index_leads_everywhere(client):
    page = client.get("/").content.decode()
    for path in ("/chat/", "/echo/", "/ping/", "/ticker/", "/select/", "/bell/", "/minutes/"):
        assert f'href="{path}"' in page


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_its_sockets_very_code(client, name):
    page = client.get(f"/{name}/").content.decode()
    assert escape(inspect.getsource(source_of(name))) in page


@pytest.mark.parametrize("name", NAMES)
def test_a_page_and_its_socket_share_one_url(client, django_user_model, name):
    client.force_login(django_user_model.objects.create_user("Grace"))
    page = client.get(f"/{name}/", headers={"host": "localhost:8080"}).content.decode()
    assert f'data-socket="ws://localhost:8080/{name}/"' in page


def test_every_view_is_short_enough_to_learn_from():
    for view in SOCKETS.values():
        assert inspect.getmodule(view) is websockets
        assert len(inspect.getsource(view).splitlines()) <= 20
    for name, module in MODULES.items():
        assert len(inspect.getsource(module).splitlines()) < 80
        script = ROOT / "app/examples/static/examples" / f"{name}.js"
        assert len(script.read_text().splitlines()) < 60


def test_a_visitor_without_a_bell_is_shown_where_to_log_in(client):
    page = client.get("/bell/").content.decode()
    assert 'href="/accounts/login/?next=/bell/"' in page
    assert "data-socket" not in page


@pytest.mark.parametrize(
    "path", ["/", "/echo/", "/bell/", "/minutes/", "/chat/", "/chat/lobby/", "/accounts/login/"]
)
def test_nothing_inline_and_nothing_from_elsewhere(client, path):
    """So that a strict Content-Security-Policy fits."""
    page = client.get(path).content.decode()
    assert "<style" not in page
    assert "style=" not in page
    assert "javascript:" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/')
    assert "http://" not in page
    assert "https://" not in page


def test_logging_in_and_out(client, django_user_model):
    django_user_model.objects.create_user("Grace", password="compiler")
    assert "/accounts/login/?next=/chat/" in client.get("/chat/").content.decode()
    credentials = {"username": "Grace", "password": "wrong", "next": "/chat/"}
    assert "correct username" in client.post("/accounts/login/", credentials).content.decode()
    response = client.post("/accounts/login/", credentials | {"password": "compiler"}, follow=True)
    assert response.redirect_chain == [("/chat/", 302)]
    assert "Grace" in response.content.decode()
    response = client.post("/accounts/logout/", {"next": "/chat/"}, follow=True)
    assert "Log in" in response.content.decode()


def test_who_signs_up_is_logged_in_and_goes_on(client):
    password = "analytical engine"
    form = {"username": "Ada", "email": "ada@example.com", "next": "/chat/"}
    answer = client.post("/accounts/signup/", form | {"password1": password, "password2": "other"})
    assert "The two password fields" in answer.content.decode()
    form |= {"password1": password, "password2": password}
    response = client.post("/accounts/signup/", form, follow=True)
    assert response.redirect_chain == [("/chat/", 302)]
    assert "Ada" in response.content.decode()
    elsewhere = client.post(
        "/accounts/signup/", form | {"username": "Grace", "next": "https://evil.example/"}
    )
    assert elsewhere["Location"] == "/"


def test_a_forgotten_password(client, django_user_model, mailoutbox):
    django_user_model.objects.create_user("Ada", "ada@example.com", "forgotten")
    response = client.post("/accounts/password_reset/", {"email": "ada@example.com"}, follow=True)
    assert "Look into your mail" in response.content.decode()
    (link,) = re.findall(r"http://[^/]+(/accounts/reset/\S+)", mailoutbox[0].body)
    page = client.get(link, follow=True)
    assert "Choose a new password" in page.content.decode()
    new = {"new_password1": "difference engine", "new_password2": "difference engine"}
    response = client.post(page.redirect_chain[-1][0], new, follow=True)
    assert "Your password is changed" in response.content.decode()
    assert client.login(username="Ada", password="difference engine")
    assert "used before" in client.get(link, follow=True).content.decode()


def test_a_page_that_is_not_there(client):
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


def test_a_form_without_its_token_is_to_be_sent_again():
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/accounts/login/", {"username": "Ada"})
    assert response.status_code == 403
    assert "Please send the form again" in response.content.decode()


@pytest.mark.parametrize(
    ("error", "status", "heading"),
    [
        (PermissionDenied, 403, "You may not see this page"),
        (RuntimeError, 500, "Something went wrong"),
    ],
)
def test_the_site_s_own_pages_for_errors(monkeypatch, error, status, heading):
    def fail(*args):
        raise error

    monkeypatch.setattr(RoomQuerySet, "with_activity", fail)
    response = Client(raise_request_exception=False).get("/chat/")
    assert response.status_code == status
    assert heading in response.content.decode()


def test_there_is_an_icon_for_pages_that_name_none(client):
    assert client.get("/favicon.ico")["Location"] == "/static/examples/icon.svg"
