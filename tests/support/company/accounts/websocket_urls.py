from django.contrib.auth import authenticate
from django.urls import include, path

from django_websocket.decorators import websocket


@websocket
def who(request, websocket):
    """Says whose socket it is, and then whom each "name password" makes of its client."""
    websocket.send(str(request.user))
    for message in websocket:
        name, _, password = message.partition(" ")
        websocket.send(str(authenticate(request, username=name, password=password)))


urlpatterns = [
    path("company/who/", who),
    path("", include("support.company.websocket_urls")),
]
