import gc
import threading
from pathlib import Path

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponseBase
from django.urls import include, path
from greenlet import greenlet

from django_websocket.connection.websocket import WebSocket
from django_websocket.decorators import websocket


@websocket
def echo(request, websocket, word=""):
    for message in websocket:
        websocket.send(message)


@login_required
@websocket
def fails(request, websocket, word):
    websocket.send(request.user.username)
    raise RuntimeError(f"the view has failed: {websocket.receive()}")


@websocket
def census(request, websocket):
    """Says what is in memory, whenever it is asked."""
    for _ in websocket:
        gc.collect()
        found = gc.get_objects()
        count = {
            kind.__name__: sum(issubclass(type(each), kind) for each in found)
            for kind in (HttpRequest, HttpResponseBase, WebSocket, greenlet)
        }
        count["threads"] = threading.active_count()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        websocket.send_json(count | {"objects": len(found), "kilobytes": 4 * pages})


urlpatterns = [
    path("company/census/", census),
    path("company/fails/<slug:word>/", fails, name="company-fails"),
    path("company/private/<slug:word>/", login_required(echo)),
    path("company/permitted/", permission_required("auth.add_user", raise_exception=True)(echo)),
    path("", include("project.websocket_urls")),
]
