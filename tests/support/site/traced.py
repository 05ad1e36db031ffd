"""The site with a tracer of the kind that error trackers and their like install.

They replace ``WSGIHandler.__call__`` and return an object of their own, which ends their account
of the request when it is closed. ``SITE_TRACER`` names the kind of object.
"""

import os

from django.core.handlers.wsgi import WSGIHandler

from . import wsgi  # it sets Django up
from .websocket_urls import signals

websocket = wsgi.websocket

_call = WSGIHandler.__call__


class Wrapped:
    """An iterable without a single attribute of Django's response."""

    def __init__(self, body, account):
        self._body = body
        self._account = account

    def __iter__(self):
        return iter(self._body)

    def close(self):
        self._body.close()
        signals.append(f"traced {self._account[0]}")


def call(self, environ, start_response):
    account = []

    def noting(status, headers, exc_info=None):
        account.append(f"{environ['PATH_INFO']} {status[:3]}")
        return start_response(status, headers, exc_info)

    return Wrapped(_call(self, environ, noting), account)


def call_later(self, environ, start_response):
    """Even the application is called only when somebody reads the response."""
    response = call(self, environ, start_response)
    try:
        yield from response
    finally:
        response.close()


def call_at_once(self, environ, start_response):
    """Nobody who sees a list thinks of closing the response."""
    response = call(self, environ, start_response)
    body = list(response)
    response.close()
    return body


WSGIHandler.__call__ = {
    "iterable": call,
    "generator": call_later,
    "list": call_at_once,
}[os.environ["SITE_TRACER"]]
