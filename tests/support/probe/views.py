import json
import os
import time

from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt

from django_websocket.decorators import websocket

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


@websocket
def socket(request, websocket):
    """Send what was seen, then every message back; "big N" asks for N letters instead."""
    websocket.send(json.dumps(seen(request)))
    for message in websocket:
        if isinstance(message, str) and message.startswith("big "):
            websocket.send("x" * int(message.removeprefix("big ")))
        else:
            websocket.send(message)
