"""``opentelemetry-instrument`` needs nothing here. See docs/how-to/trace-sockets.md."""

import sys

from django.core.signals import got_request_exception
from django.dispatch import receiver
from opentelemetry import trace

from .settings import *  # noqa: F403

tracer = trace.get_tracer(__name__)


@receiver(got_request_exception)
def record_exception(request, **kwargs):
    if not trace.get_current_span().is_recording():  # the handshake's has ended
        with tracer.start_as_current_span(f"GET {request.resolver_match.route}") as span:
            span.record_exception(sys.exception())
            span.set_status(trace.StatusCode.ERROR)
