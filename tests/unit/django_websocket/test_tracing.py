"""Spans of messages, as OpenTelemetry's own SDK gets them."""

import pytest
from django.test import override_settings
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from django_websocket import tracing
from django_websocket.application import observers
from django_websocket.signals import message_received
from django_websocket.test import WebSocketClient

# The test client lends a view the connections of the tests that have run before.
pytestmark = pytest.mark.django_db

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))


def handshake_span(get_response):
    """As an instrumentation does: a span around the request."""

    def middleware(request):
        with provider.get_tracer("site").start_as_current_span("GET"):
            return get_response(request)

    return middleware


@pytest.fixture
def spans(monkeypatch):
    """The spans that have ended."""
    monkeypatch.setattr(observers, "factories", [*observers.factories])
    monkeypatch.setattr(observers, "at_handshake", observers.at_handshake)
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("django_websocket"))
    tracing.trace_messages.cache_clear()
    tracing.trace_messages()
    exporter.clear()
    with override_settings(
        WEBSOCKET_URLCONF="support.site.signalled",
        MIDDLEWARE=[f"{__name__}.handshake_span"],
        WEBSOCKET_BROKER="memory://",
    ):
        yield exporter.get_finished_spans
    observers.at_handshake.clear()
    tracing.got_request_exception.disconnect(tracing._record)


def talk(path, *messages):
    with WebSocketClient().connect(path) as socket:
        for message in messages:
            socket.send(message)
            socket.receive()
        socket.close()


def test_a_message_is_a_span_named_by_the_route_and_linked_to_the_handshake(spans):
    talk("/echo/", "one", b"two2")
    handshake, one, two = spans()
    assert handshake.name == "GET"
    for span, size in ((one, 3), (two, 4)):
        assert span.name == "MESSAGE echo/"
        assert span.kind is trace.SpanKind.CONSUMER
        assert dict(span.attributes) == {"http.route": "echo/", "websocket.message.size": size}
        assert [link.context.span_id for link in span.links] == [handshake.context.span_id]
    assert one.end_time <= two.start_time


def test_it_has_what_the_view_raises(spans):
    with pytest.raises(RuntimeError):
        talk("/fails-later/", "now")
    span = spans()[-1]
    assert span.status.status_code is trace.StatusCode.ERROR
    (event,) = span.events
    assert event.attributes["exception.message"] == "the view is broken"


def test_what_the_view_does_is_below_it(spans):
    def query(**kwargs):
        with provider.get_tracer("site").start_as_current_span("inner"):
            pass

    message_received.connect(query)
    try:
        talk("/echo/", "one")
    finally:
        message_received.disconnect(query)
    inner, message = spans()[-2:]
    assert (inner.name, inner.parent.span_id) == ("inner", message.context.span_id)


def test_a_view_may_read_in_another_greenlet(spans, caplog):
    talk("/echo-elsewhere/", "one", "two")
    assert [span.name for span in spans()] == ["GET", *["MESSAGE echo-elsewhere/"] * 2]
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]
