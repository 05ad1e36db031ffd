"""What middleware leaves for a view: where, and what the view finds of it."""

import json
import threading
from contextvars import ContextVar

import gevent
from asgiref.local import Local
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.urls import path

from django_websocket.decorators import websocket

tenant = ContextVar("tenant", default=None)
thread_local = threading.local()
django_local = Local()


class Tenants:
    """Leaves the tenant that the client names in every place that people use."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if (name := request.headers.get("X-Tenant")) is not None:
            tenant.set(name)
            connection.tenant = thread_local.tenant = django_local.tenant = name
        if (statement := request.headers.get("X-SQL")) is not None:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        return self.get_response(request)


@receiver(connection_created)
def tell_the_server(connection, **kwargs):
    """As row-level security needs it: a policy compares a column with this setting."""
    if connection.vendor == "postgresql" and tenant.get() is not None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('site.tenant', %s, false)", [tenant.get()])


def ask(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


@websocket
def world(request, websocket):
    """Says what it finds, at once and for each message, and uses the database in between."""
    while True:
        found = {
            "contextvar": tenant.get(),
            "connection": getattr(connection, "tenant", None),
            "threading": getattr(thread_local, "tenant", None),
            "asgiref": getattr(django_local, "tenant", None),
        }
        User.objects.exists()
        if connection.vendor == "postgresql":
            (found["server"],) = ask("SELECT current_setting('site.tenant', true)")
        websocket.send_json(found)
        if websocket.receive() is None:
            return


@websocket
def sql(request, websocket):
    """Runs what the client sends, each in a connection that it has just taken."""
    for statement in websocket:
        try:
            answer = ask(statement)
        except DatabaseError as error:
            answer = [str(error)]
        websocket.send(json.dumps(answer, default=str))


@websocket
def spawns(request, websocket):
    """For each message, as many greenlets and threads of the kind that ask the database once."""
    start = {
        "greenlet": lambda: gevent.spawn(User.objects.count),
        "raw": lambda: gevent.spawn_raw(User.objects.count),
        "thread": lambda: threading.Thread(target=User.objects.count).start(),
        "killed": lambda: gevent.spawn_later(0.01, ask, "SELECT pg_sleep(3)"),
        "late": lambda: gevent.spawn_later(0.5, User.objects.count),
    }
    for message in websocket:
        count, _, kind = message.partition(" ")
        started = [start[kind]() for _ in range(int(count))]
        if kind == "killed":
            gevent.sleep(0.3)
            gevent.killall(started)
        websocket.send("done")


urlpatterns = [
    path("world/", world),
    path("sql/", sql),
    path("spawns/", spawns),
]
