"""Sockets that speak JSON."""

import datetime
import decimal
import uuid

from django.urls import path
from django.utils.translation import gettext_lazy

from django_websocket import InvalidJSON, websocket

VALUES = {
    "when": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    "day": datetime.date(2026, 1, 2),
    "time": datetime.time(3, 4),
    "for": datetime.timedelta(minutes=5),
    "price": decimal.Decimal("1.50"),
    "id": uuid.UUID(int=7),
    "title": gettext_lazy("Hello"),
}

#: The same as a client finds them.
SEEN = {
    "when": "2026-01-02T03:04:05Z",
    "day": "2026-01-02",
    "time": "03:04:00",
    "for": "P0DT00H05M00S",
    "price": "1.50",
    "id": "00000000-0000-0000-0000-000000000007",
    "title": "Hello",
}


@websocket
def values(request, websocket):
    websocket.send_json(VALUES)
    for value in websocket.iter_json():
        websocket.send_json(["found", value])


@websocket
def patient(request, websocket):
    """Answers what is no JSON."""
    try:
        while True:
            try:
                websocket.send_json(["found", websocket.receive_json()])
            except InvalidJSON as error:
                websocket.send_json(["refused", str(error)])
    finally:
        print("the patient one left", flush=True)


@websocket
def mistakes(request, websocket):
    """Says what is raised for values that cannot be sent."""
    for send, value in (
        (websocket.send, {"a": 1}),
        (websocket.send, 5),
        (websocket.send_json, {"rows": [1, object()]}),
        (websocket.send_json, {"price": float("nan")}),
        (websocket.send_json, ["\ud83d"]),
    ):
        try:
            send(value)
        except (TypeError, ValueError) as error:
            websocket.send(f"{type(error).__name__}: {error}")


urlpatterns = [
    path("values/", values),
    path("patient/", patient),
    path("mistakes/", mistakes),
]
