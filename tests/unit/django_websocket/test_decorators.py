"""What the decorators do before a socket is open; the rest runs on a live server (test_wsgi)."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.decorators import method_decorator
from django.views import View

from django_websocket.decorators import websocket, websocket_loop


def echo(request, websocket, message):
    """The docstring."""
    websocket.send(message)


@pytest.mark.parametrize("decorator", [websocket, websocket_loop])
@pytest.mark.parametrize("options", [None, {}, {"subprotocols": ["chat"]}])
def test_with_and_without_options_the_view_keeps_its_name(decorator, options):
    view = decorator(echo) if options is None else decorator(**options)(echo)
    assert view.__name__ == "echo"
    assert view.__doc__ == "The docstring."


@pytest.mark.parametrize("decorator", [websocket, websocket_loop])
def test_coroutine_function_is_refused_where_it_is_decorated(decorator):
    async def view(request, websocket): ...

    with pytest.raises(TypeError, match="write def instead of async def"):
        decorator(view)


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"subprotocols": "chat"}, TypeError, "subprotocols=a list of names, .* found 'chat'"),
        ({"subprotocols": [b"chat"]}, TypeError, "subprotocols="),
        ({"subprotocols": None}, TypeError, "subprotocols="),
        ({"subprotocols": [""]}, ValueError, "none of them empty"),
        ({"permission": 5}, TypeError, "permission=a name or several, each a str, found 5"),
        ({"permission": b"auth.view_user"}, TypeError, "permission="),
        ({"permission": ("auth.view_user", None)}, TypeError, "permission="),
        ({"permission": None}, TypeError, "permission="),
        ({"permission": ""}, ValueError, "permission="),
        ({"close_instead": "yes"}, TypeError, "close_instead=True or False"),
        ({"receive_rate": 0}, ValueError, "receive_rate: expected a number of messages a second"),
        ({"receive_policy": "drop"}, ValueError, 'expected "delay" or "disconnect", found'),
        ({"max_channels": 1.5}, ValueError, "max_channels: expected a whole number"),
        ({"max_message_size": 5}, TypeError, "unexpected keyword argument 'max_message_size'"),
    ],
)
@pytest.mark.parametrize("decorator", [websocket, websocket_loop])
def test_what_is_no_option_is_refused_where_it_decorates(decorator, options, error, problem):
    with pytest.raises(error, match=problem):
        decorator(**options)(echo)


@pytest.mark.parametrize("decorator", [websocket, websocket_loop])
def test_what_is_no_view_is_refused(decorator):
    with pytest.raises(TypeError, match=r"expected a view, found 'auth\.view_user'"):
        decorator("auth.view_user")


def test_plain_request_gets_426_also_outside_of_the_websocket_application():
    response = websocket(echo)(RequestFactory().get("/"))
    assert response.status_code == 426
    assert response.headers["Upgrade"] == "websocket"


def test_method_of_a_class_based_view():
    class Socket(View):
        @method_decorator(websocket)
        def get(self, request, websocket):
            return HttpResponse()

    assert Socket.as_view()(RequestFactory().get("/")).status_code == 426


def test_a_permission_needs_the_authentication_middleware():
    request = RequestFactory().get("/")
    request.websocket = object()
    with pytest.raises(ImproperlyConfigured, match="AuthenticationMiddleware"):
        websocket(echo, permission="auth.view_user")(request)
