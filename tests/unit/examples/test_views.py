import inspect

import pytest
from django.utils.html import escape

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


def test_a_page_that_is_not_there(client):
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


def test_there_is_an_icon_for_pages_that_name_none(client):
    assert client.get("/favicon.ico")["Location"] == "/static/examples/icon.svg"
