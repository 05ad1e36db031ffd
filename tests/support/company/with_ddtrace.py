"""``ddtrace-run`` needs nothing here. For the receiver see docs/how-to/trace-sockets.md."""

import sys

from ddtrace.trace import tracer
from django.core.signals import got_request_exception
from django.dispatch import receiver

from .settings import *  # noqa: F403


@receiver(got_request_exception)
def trace_exception(request, **kwargs):
    if tracer.current_span() is None:  # the handshake's has ended
        route = f"GET {request.resolver_match.route}"
        with tracer.trace("websocket.view", resource=route, span_type="web") as span:
            span.set_exc_info(*sys.exc_info())
