from django.contrib.auth.models import User
from django.db import connection
from django.urls import include, path

from chat.models import Message
from django_websocket.decorators import websocket

USERNAMES = User.objects.values_list("username")


@websocket
def people(request, websocket):
    """Says whose socket it is and who is in the users' table, whenever it is asked.

    "slow" takes a while in PostgreSQL, "chat" answers with what was said instead.
    """
    for message in websocket:
        if message == "slow":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.05)")
        found = Message.objects.values_list("text") if message == "chat" else USERNAMES.all()
        websocket.send_json([request.tenant.schema_name, *(text for (text,) in found)])


urlpatterns = [
    path("company/people/", people),
    path("", include("support.company.websocket_urls")),
]
