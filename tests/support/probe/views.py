import json
import os
import time

from django import forms
from django.contrib.sessions.models import Session
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from django_websocket import parse_request, websocket, websocket_events
from django_websocket.errors import BrokerError
from django_websocket.pubsub import publish

from .middleware import server


def seen(request):
    """What the application sees of a request."""
    return {
        "server": server(request),
        "instance": os.environ["INSTANCE"],
        "method": request.method,
        "path": request.META["PATH_INFO"],
        "query": request.META["QUERY_STRING"],
        "address": request.META.get("REMOTE_ADDR"),
        "scheme": request.scheme,
        "headers": dict(request.headers),
        "body": request.body.decode("latin-1"),
    }


@csrf_exempt
def page(request):
    """``?seconds=0.5`` answers that much later."""
    time.sleep(float(request.GET.get("seconds", 0)))
    return JsonResponse(seen(request))


def sessions(request):
    """A page that asks the database."""
    return HttpResponse(Session.objects.count())


@csrf_exempt
def announce(request):
    """Publish the body to ``?channel=`` and give its id; 503 when the broker does not take it."""
    try:
        published = publish(request.GET["channel"], request.body.decode(), history=100_000)
    except BrokerError as error:
        return HttpResponse(f"{error}\n", status=503)
    return HttpResponse(published)


@websocket
def socket(request, websocket):
    """Send what was seen, then every message back; "big N" asks for N letters instead."""
    websocket.send(json.dumps(seen(request)))
    for message in websocket:
        if isinstance(message, str) and message.startswith("big "):
            websocket.send("x" * int(message.removeprefix("big ")))
        else:
            websocket.send(message)


@websocket
def feed(request, websocket):
    """Send what is published to each ``?channel=``; "close 4001 why" asks for just that."""
    for channel in request.GET.getlist("channel"):
        websocket.subscribe(channel, since=request.GET.get("since"))
    for message in websocket:
        if message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            websocket.close(int(code), reason)
        else:
            websocket.send(message)


@websocket
def talk(request, websocket):
    """As ``feed``, with a position for each channel; answers requests, and sends messages back."""
    for channel in request.GET.getlist("channel"):
        websocket.subscribe(channel, since=request.GET)
    for message in websocket:
        asked = parse_request(websocket, message)
        if asked is None:
            websocket.send(message)
        elif asked.data == ["refuse"]:
            asked.refuse("That is not done.", code="no")
        elif asked.data != ["ignore"]:
            asked.reply({"id": asked.id, "data": asked.data, "url": request.get_full_path()})


class NameForm(forms.Form):
    name = forms.CharField(max_length=10)
    colours = forms.MultipleChoiceField(choices=[("r", "Red"), ("b", "Blue")], required=False)


@websocket_events
def events(request, websocket):
    """Answers events."""


@events.event
def rename(request, websocket, form: NameForm):
    return form.cleaned_data


@events.event
def fail(request, websocket, data):
    raise RuntimeError("the secret of the handler")


@websocket
def busy(request, websocket):
    """Take a millisecond of the processor over each message, and answer none."""
    for _ in websocket:
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end:
            pass
