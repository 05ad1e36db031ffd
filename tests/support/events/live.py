"""A site of its own, for a live worker."""

import os
from pathlib import Path

from django.conf import settings
from django.core.signals import got_request_exception
from django.db import connection
from django.db.backends.signals import connection_created
from django.urls import path

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    WEBSOCKET_URLCONF=__name__,
    INSTALLED_APPS=["django_websocket"],
    WEBSOCKET_BROKER="memory://",
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
    },
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(os.environ["EVENTS_DATABASE"]),
        }
    },
)

from django_websocket import publish, websocket_events  # noqa: E402
from django_websocket.wsgi import get_wsgi_websocket_application  # noqa: E402

counts = {"connections": 0, "exceptions": 0}


def count_connection(**kwargs):
    counts["connections"] += 1


def count_exception(**kwargs):
    counts["exceptions"] += 1


connection_created.connect(count_connection)
got_request_exception.connect(count_exception)


@websocket_events(authorize=lambda request, channel: channel != "secret")
def chooser(request, websocket):
    pass


@websocket_events
def relay(request, websocket, name):
    yield
    publish(f"relay.{name}", "bye")


@relay.published("relay.{name}")
def seen(request, websocket, message, name):
    if message.data == "query":
        query()
    return {"seen": message.data}


@relay.event
def say(request, websocket, data, name):
    publish(f"relay.{name}", data["text"])
    return data["text"]


@relay.event
def ask(request, websocket, data, name):
    query()
    return dict(counts)


@relay.event
def fail(request, websocket, data, name):
    raise RuntimeError("the secret of the handler")


@websocket_events
def plain(request, websocket):
    pass


@plain.event("ask")
def ask_plainly(request, websocket, data):
    return ask(request, websocket, data, "")


def query():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


urlpatterns = [path("chooser/", chooser), path("relay/<name>/", relay), path("plain/", plain)]

application = get_wsgi_websocket_application()
