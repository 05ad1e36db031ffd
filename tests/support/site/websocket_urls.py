"""Sockets that show one behaviour each."""

import asyncio
import contextlib
import gc
import json
import sys
import threading
import time

import gevent
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception, request_finished
from django.db import connection, transaction
from django.dispatch import receiver
from django.http import Http404, HttpResponse
from django.urls import include, path, re_path
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache

from django_websocket.decorators import websocket, websocket_loop
from support.server import PATIENCE

from .middleware import BrokenBeyondRepair, Busy

signals: list[str] = []


@receiver(got_request_exception)
def note_exception(request, **kwargs):
    signals.append("got_request_exception")
    signals.append(f"{request.path} raised {sys.exc_info()[0].__name__}")


@receiver(request_finished)
def note_finished(**kwargs):
    signals.append("request_finished")


@websocket_loop
def echo(request, websocket, message):
    websocket.send(message)


@websocket
def facts(request, websocket, **kwargs):
    websocket.send(
        json.dumps(
            {
                "user": str(request.user),
                "path": request.path,
                "kwargs": kwargs,
                "same": request.websocket is request.META["wsgi.websocket"] is websocket,
                "atomic": connection.in_atomic_block,
                "query": request.GET.dict(),
                "word": request.headers.get("X-Word"),
                "language": get_language(),
                "middleware is done": getattr(request, "middleware_is_done", False),
            }
        )
    )


@login_required
@websocket(permission="auth.view_user")
def asking(request, websocket):
    for message in websocket:
        websocket.send(message)


@websocket(permission=["auth.view_user", "auth.add_user"], close_instead=True)
def asking_by_code(request, websocket):
    websocket.receive()


@login_required
@websocket
def rename(request, websocket):
    websocket.send(request.user.username)
    request.user.username = websocket.receive()
    request.user.save()
    websocket.send("done")
    websocket.receive()


remembered = []


@websocket
def advises(request, websocket):
    try:
        messages.info(request, "for the next page")
    except messages.MessageFailure:
        websocket.send("refused")


@websocket
def remembers(request, websocket):
    """Keeps how its client left."""
    websocket.receive()
    remembered[:] = [websocket.close_code, websocket.close_reason]


@websocket(subprotocols=["v2", "v1"])
def subprotocols(request, websocket):
    websocket.receive()


@login_required
@websocket(close_instead=True)
def private_by_code(request, websocket):
    raise NotImplementedError


@websocket
def hogs(request, websocket):
    """Holds the worker for so many seconds: it computes, and does not wait."""
    until = time.perf_counter() + float(websocket.receive())
    while time.perf_counter() < until:
        pass
    websocket.send("done")


@websocket
def fails(request, websocket):
    websocket.receive()
    raise RuntimeError("the secret of the view")


class Unheard(BaseException):
    """Of a kind that nobody expects."""


EXITS = {
    "system-exit": lambda: SystemExit(3),
    "keyboard-interrupt": KeyboardInterrupt,
    "timeout": lambda: gevent.Timeout(1),
    "cancelled": asyncio.CancelledError,
    "system-error": SystemError,
    "memory-error": MemoryError,
    "generator-exit": GeneratorExit,
    "unheard": Unheard,
    "greenlet-exit": gevent.GreenletExit,
}


@websocket
def exits(request, websocket, kind):
    websocket.receive()
    raise EXITS[kind]()


@websocket
def spawned_exits(request, websocket, kind):
    def end():
        raise EXITS[kind]()

    for message in websocket:
        gevent.spawn(end).join()
        websocket.send(message)


@websocket
def not_found(request, websocket):
    raise Http404


@websocket
def forbidden(request, websocket):
    raise PermissionDenied


@websocket
def counts(request, websocket):
    websocket.send(str(len(request.GET)))


@websocket
def returns(request, websocket):
    return HttpResponse("too late")


@websocket
def closes(request, websocket):
    websocket.close(4000, "bye, ☂")
    websocket.close(4001, "ignored")


@websocket
def closes_wrongly(request, websocket):
    for code, reason in ((999, ""), (1006, ""), (1000, "x" * 124), (1000, 5)):
        try:
            websocket.close(code, reason)
        except (TypeError, ValueError) as error:
            websocket.send(f"{type(error).__name__}: {error}")


@websocket
def busy(request, websocket):
    raise Busy


@websocket
def broken(request, websocket):
    raise BrokenBeyondRepair


@websocket
def keeps_sending(request, websocket):
    websocket.receive()
    try:
        while True:
            websocket.send("x" * 1000)
    finally:
        signals.append("keeps_sending left")


@websocket
def session(request, websocket):
    """Answers with what the store holds; "set" changes the session as it was loaded."""
    request.session.get("loaded")
    for message in websocket:
        if message == "set":
            request.session["written"] = "by the socket"
        websocket.send(message)
    signals.append("session left")


@websocket
def orm(request, websocket):
    """Says its user's name, read anew, whenever it is asked."""
    while True:
        websocket.send(User.objects.get(pk=request.user.pk).username)
        if websocket.receive() is None:
            return


@websocket
def atomic(request, websocket):
    with transaction.atomic():
        User.objects.filter(pk=request.user.pk).update(first_name="Ada")
        websocket.send("waiting")
        websocket.receive()
        kept = User.objects.filter(first_name="Ada").exists()
        transaction.set_rollback(True)
    websocket.send("the block has kept what it wrote" if kept else "lost")


@websocket
def walks(request, websocket, how):
    """Waits between the rows of a queryset."""
    with transaction.atomic() if how == "atomic" else contextlib.nullcontext():
        users = User.objects.order_by("pk").iterator(chunk_size=1)
        for user in list(users) if how == "list" else users:
            websocket.send(user.username)
            websocket.receive()


@websocket
def collected(request, websocket):
    """Free what only cycles hold: Django's errors of a database hold its cursor."""
    gc.collect()
    websocket.send("done")


@websocket
def noted(request, websocket):
    websocket.send(json.dumps(signals))


dawdled_enough = threading.Event()


def dawdles(request):
    """Has found who asks, and takes its time."""
    print(f"{request.user} dawdles", flush=True)
    dawdled_enough.wait(PATIENCE)
    dawdled_enough.clear()
    return echo(request)


def dawdles_no_more(request):
    dawdled_enough.set()
    return echo(request)


def raw(request):
    """The classic form, without a decorator."""
    socket = request.META["wsgi.websocket"]
    while not socket.closed:
        message = socket.receive()
        if message is not None:
            socket.send(message)
    return HttpResponse()


@websocket_loop(receive_rate=1000, receive_burst=1000)
def slow_echo(request, websocket, message):
    websocket.send(message)


urlpatterns = [
    path("echo/", echo, name="echo"),
    path("facts/", never_cache(facts), name="facts"),
    path("facts/<slug:room>/<int:number>/", facts, name="facts"),
    re_path(r"^regular/(?P<word>\w+)/$", facts, name="regular"),
    path("included/", include(([path("facts/", facts, name="facts")], "inner"), namespace="ns")),
    path("slow-echo/", slow_echo),
    path("private-echo/", login_required(echo)),
    path("private/", login_required(facts), name="private"),
    path("permitted/", permission_required("auth.add_user", raise_exception=True)(facts)),
    path("private-by-code/", private_by_code),
    path("asking/", asking),
    path("asking-by-code/", asking_by_code),
    path("rename/", rename),
    path("advises/", advises),
    path("remembers/", remembers),
    path("subprotocols/", subprotocols),
    path("hogs/", hogs),
    path("fails/", fails),
    path("busy/", busy),
    path("broken/", broken),
    path("not-found/", not_found),
    path("forbidden/", forbidden),
    path("counts/", counts),
    path("needs-permission/", permission_required("auth.add_user", raise_exception=True)(echo)),
    path("needs-one-of-mine/", websocket(forbidden, permission="auth.add_user")),
    path("returns/", returns),
    path("closes/", closes),
    path("closes-wrongly/", closes_wrongly),
    path("keeps-sending/", keeps_sending),
    path("session/", session),
    path("orm/", orm),
    path("atomic/", atomic),
    path("collected/", collected),
    path("noted/", noted),
    path("walks/<slug:how>/", walks),
    path("raw/", raw),
    path("dawdles/", dawdles),
    path("dawdles-no-more/", dawdles_no_more),
    path("exits/<slug:kind>/", exits),
    path("spawned-exits/<slug:kind>/", spawned_exits),
    path("", include("support.site.values")),
    path("", include("support.site.world")),
    path("", include("support.site.waiting")),
]
