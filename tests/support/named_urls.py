"""Names to look up; nothing is served."""

from django.urls import include, path

from django_websocket.decorators import websocket


@websocket
def socket(request, websocket, **kwargs):
    raise NotImplementedError


inner = ([path("plain/", socket, name="plain")], "inner")

urlpatterns = [
    path("chat/<slug:room>/", socket, name="room"),
    path("plain/", socket, name="plain"),
    path("any/<path:rest>", socket, name="any"),
    path("first/", include(inner, namespace="first")),
    path("second/", include(inner, namespace="second")),
]
