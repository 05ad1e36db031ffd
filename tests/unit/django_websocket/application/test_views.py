"""Which views count as a socket's: people decorate in many ways."""

import functools

import pytest
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import get_resolver
from django.utils.decorators import method_decorator
from django.views import View
from django.views.generic import RedirectView

from django_websocket import websocket, websocket_loop
from django_websocket.application.views import described, opens_sockets, views


@websocket
def socket(request, websocket):
    raise NotImplementedError


@websocket_loop
def loop(request, websocket, message):
    raise NotImplementedError


def careless(view):
    """A decorator without functools.wraps."""

    def inner(request, *args, **kwargs):
        return view(request, *args, **kwargs)

    return inner


class Throttle:
    """A decorator that is a class."""

    def __init__(self, view):
        self.view = view

    def __call__(self, request):
        return self.view(request)


@method_decorator(websocket, name="get")
class ByMethod(View):
    def get(self, request, websocket):
        raise NotImplementedError


@method_decorator(login_required, name="dispatch")
class Mixed(ByMethod):
    pass


class ByDispatch(View):
    @method_decorator(websocket)
    def dispatch(self, request, websocket):
        raise NotImplementedError


def delegates(request):
    return socket(request)


def classic(request):
    return request.META["wsgi.websocket"].receive()


def modern(request):
    return request.websocket.receive()


def page(request):
    return HttpResponse("a page")


class Page(View):
    def get(self, request):
        return HttpResponse("a page")


SOCKETS = {
    "decorated": socket,
    "loop": loop,
    "login_required": login_required(socket),
    "without wraps": careless(careless(socket)),
    "a class around it": Throttle(socket),
    "a class around that": careless(Throttle(login_required(socket))),
    "partial": functools.partial(socket, room="lobby"),
    "lambda": lambda request: socket(request),
    "method": ByMethod.as_view(),
    "method, decorated class": Mixed.as_view(),
    "dispatch": ByDispatch.as_view(),
    "decorated as_view": login_required(ByMethod.as_view()),
    "delegates": delegates,
    "classic": classic,
    "classic, decorated": login_required(classic),
    "request.websocket": modern,
}
PAGES = {
    "page": page,
    "login_required": login_required(page),
    "without wraps": careless(page),
    "a class around it": Throttle(page),
    "partial": functools.partial(page),
    "class": Page.as_view(),
    "redirect": RedirectView.as_view(url="/"),
    "lambda": lambda request: HttpResponse(),
}


@pytest.mark.parametrize("kind", SOCKETS)
def test_it_opens_sockets(kind):
    assert opens_sockets(SOCKETS[kind])


@pytest.mark.parametrize("kind", PAGES)
def test_it_is_a_page(kind):
    assert not opens_sockets(PAGES[kind])


@pytest.mark.parametrize(
    ("view", "name"),
    [
        (page, "page"),
        (login_required(page), "page"),
        (functools.partial(page), "page"),
        (Page.as_view(), "Page"),
        (Throttle(page), "Throttle"),
    ],
)
def test_a_view_is_called_by_its_module_and_its_name(view, name):
    assert described(view) == f"{__name__}.{name}"


def test_included_urlconfs_are_walked_with_their_prefix():
    routes = [route for route, _ in views(get_resolver("support.named_urls"))]
    assert "chat/<slug:room>/" in routes
    assert "first/plain/" in routes


@pytest.mark.parametrize("urlconf", ["project.websocket_urls", "support.site.websocket_urls"])
def test_every_socket_of_ours_is_found(urlconf):
    found = views(get_resolver(urlconf))
    assert [route for route, view in found if not opens_sockets(view)] == []
