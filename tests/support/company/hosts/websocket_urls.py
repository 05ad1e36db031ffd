from django.contrib.auth.decorators import login_required
from django.urls import path, reverse

from django_websocket import reverse_websocket, websocket


@websocket
def stock(request, websocket):
    """Says which host django-hosts has chosen, and what URLs are found on it."""
    websocket.send_json([request.host.name, reverse("login"), reverse_websocket("stock")])


urlpatterns = [path("stock/", stock, name="stock"), path("private/", login_required(stock))]
