import functools

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_page

from django_websocket.decorators import websocket, websocket_loop


@websocket_loop
def echo(request, websocket, message):
    websocket.send(message)


def sorry(view):
    """A decorator that refuses with a page."""

    @functools.wraps(view)
    def wrapper(request):
        return HttpResponse("sorry, no sockets today")

    return wrapper


urlpatterns = [
    path("shared/", echo),
    path("asked-first/", echo),
    path("refused-with-200/", sorry(websocket(echo))),
    path("cached/", cache_page(600)(echo)),
    path("cached-refusal/", cache_page(600)(sorry(echo))),
]
