"""A WSGI application without Django, to see what the worker itself does. Settings come from JSON.

``RAW_APP_SETTINGS`` holds Django settings, such as ``{"WEBSOCKET_PING_INTERVAL": 1}``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time

import gevent
from django.conf import settings

if "RAW_APP_SETTINGS" in os.environ and not settings.configured:
    settings.configure(**json.loads(os.environ["RAW_APP_SETTINGS"]))


def application(environ, start_response):
    view = VIEWS[environ["PATH_INFO"]]
    return view(environ.get("wsgi.websocket"), environ, start_response)


def echo(websocket, environ, start_response):
    for message in websocket:
        websocket.send(message)
    return []


def frozen(websocket, environ, start_response):
    """How many objects the garbage collector does not look through."""
    websocket.send(str(gc.get_freeze_count()))
    return []


def refuse(websocket, environ, start_response):
    start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Connection", "keep-alive")])
    return [b"not you"]


def naked(websocket, environ, start_response):
    start_response("101 Switching Protocols", [("Upgrade", "websocket")])
    return []


def changed(websocket, environ, start_response):
    """A WSGI middleware that finds, too late, that its application may not accept."""
    websocket.accept()
    try:
        raise LookupError("a middleware has lost something")
    except LookupError:
        start_response("500 Lost", [], sys.exc_info())
    return []


def generator(websocket, environ, start_response):
    websocket.accept()
    yield b"this is no HTTP response"
    websocket.send("from a generator")
    start_response("500 Too Late", [])
    yield b"nor is this"


def broken(websocket, environ, start_response):
    raise RuntimeError("broken before the handshake")


def breaks(websocket, environ, start_response):
    websocket.accept()
    raise RuntimeError("broken after the handshake")


def silent(websocket, environ, start_response):
    return []


def late(websocket, environ, start_response):
    start_response("200 OK", [])(b"begun")
    websocket.accept()


def inform(websocket, environ, start_response):
    """Send what the environ says, then end."""
    keys = ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTP_X_TWICE", "PATH_INFO")
    websocket.send_json({key: environ.get(key) for key in keys})
    return []


def select(websocket, environ, start_response):
    from gevent.select import select as wait

    while not websocket.closed:
        wait([websocket.handler.socket], [], [], 10)
        message = websocket.receive()
        if message is not None:
            websocket.send(message)
    return []


def register(websocket, environ, start_response):
    websocket.accept()
    clients = websocket.handler.server.clients
    websocket.send_json([len(clients), websocket.handler.active_client.ws is websocket])
    return []


def stubborn(websocket, environ, start_response):
    """A view that never looks at its socket again."""
    websocket.accept()
    gevent.sleep(3600)
    return []


def slow(websocket, environ, start_response):
    """Echo, but take a while over each message."""
    for message in websocket:
        gevent.sleep(0.05)
        environ["wsgi.errors"].write(f"processed {message}\n")
    return []


def hog(websocket, environ, start_response):
    """Hold the hub for as many seconds as the query says."""
    import time

    loop = gevent.get_hub().loop
    end = time.monotonic() + float(environ["QUERY_STRING"])
    while time.monotonic() < end:
        loop.update_now()
    start_response("200 OK", [])
    return [b"done"]


def holds(websocket, environ, start_response):
    """Hold the worker as the client says, and catch whatever ends that."""
    import hashlib
    import time

    from gevent import monkey

    def python(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    ways = {
        "python": python,
        "sleep": monkey.get_original("time", "sleep"),
        # In C: without the interpreter's lock, and with it.
        "c": lambda seconds: hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1),
        "locked": lambda seconds: sum(range(10**12)),
    }
    for message in websocket:
        way, seconds = message.split()
        try:
            ways[way](float(seconds))
        except BaseException:  # noqa: BLE001 - as some loops do
            websocket.send("caught")
            ways[way](float(seconds))
        websocket.send("done")
    return []


def senders(websocket, environ, start_response):
    """Six greenlets send to the same client, 20 messages of 40,000 equal letters each."""

    def send(letter):
        for _ in range(20):
            websocket.send(letter * 40_000)

    websocket.accept()
    gevent.joinall([gevent.spawn(send, letter) for letter in "abcdef"])
    return []


def closes(websocket, environ, start_response):
    """Close with the code and the reason of the query."""
    code, _, reason = environ["QUERY_STRING"].partition(",")
    websocket.accept()
    websocket.close(int(code), reason)
    return []


def health(websocket, environ, start_response):
    from django_websocket.server import health as state

    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"draining": state.draining, "hub_lag": state.hub_lag()}).encode()]


def body(websocket, environ, start_response):
    data = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [data]


def computes(websocket, environ, start_response):
    """A page, or a refusal, that takes the worker 10 ms."""
    until = time.thread_time() + 0.01
    while time.thread_time() < until:
        pass
    start_response("200 OK", [])
    return []


VIEWS = {
    f"/{view.__name__}": view
    for view in (
        body,
        breaks,
        broken,
        changed,
        closes,
        computes,
        echo,
        frozen,
        generator,
        health,
        hog,
        holds,
        inform,
        late,
        naked,
        refuse,
        register,
        select,
        senders,
        silent,
        slow,
        stubborn,
    )
}
