"""How the answer to a handshake becomes a close code, where no HTTP answer can go out any more."""

import pytest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.test import RequestFactory

from django_websocket.application.requests import (
    WebSocketRequest,
    WebSocketResponse,
    accepts,
    answer_to,
    close_code,
)


def request():
    return WebSocketRequest(RequestFactory().get("/echo/").environ)


@pytest.mark.parametrize(
    ("status", "code"),
    [(200, 1008), (301, 4401), (302, 4401), (400, 1008), (401, 4401), (403, 4403), (404, 4404),
     (426, 1008), (429, 4429), (500, 1011), (502, 1011), (503, 1013)],
)  # fmt: skip
def test_a_status_has_a_close_code(status, code):
    assert close_code(HttpResponse(status=status)) == code


def test_a_redirect_to_the_login_page_says_that_a_login_is_missing():
    assert close_code(HttpResponseRedirect("/login/")) == 4401


def test_an_exception_of_the_views_has_the_close_code_of_djangos_answer(plain_static_files):
    assert close_code(answer_to(request(), Http404("no such room"))) == 4404


def test_a_response_accepts_unless_a_middleware_has_changed_its_status():
    response = WebSocketResponse(request(), print)
    assert accepts(response)
    assert close_code(response) == 1000
    response.status_code = 403
    assert not accepts(response)
    assert not accepts(HttpResponse(status=101))


def test_an_ordinary_request_has_no_socket():
    assert request().websocket is None


def test_middleware_finds_the_urlconf_of_sockets(settings):
    settings.WEBSOCKET_URLCONF = "support.named_urls"
    assert request().urlconf == "support.named_urls"
