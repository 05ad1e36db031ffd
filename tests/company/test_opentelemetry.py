"""``opentelemetry-instrument``, with its exporter to the console."""

import json
import re
from datetime import datetime

import pytest

from support.company.account import Failure, Handshake, Traces, visited

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def account(site):
    account = visited(
        site, "opentelemetry", "opentelemetry-instrument",
        DJANGO_SETTINGS_MODULE="support.company.with_opentelemetry",
        OTEL_TRACES_EXPORTER="console",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        # It loads Django before gunicorn has chosen its worker.
        OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH="patch_all",
    )  # fmt: skip
    for span in spans(account.log):
        if "http.status_code" in span["attributes"]:
            account.handshakes.append(handshake(span))
        else:
            account.failures += failures(span)
    return account


def spans(log):
    return [json.loads(text) for text in re.findall(r"^\{$.*?^\}$", log, re.DOTALL | re.MULTILINE)]


def handshake(span):
    began, ended = (
        datetime.fromisoformat(span[time]).timestamp() for time in ("start_time", "end_time")
    )
    return Handshake(span["name"], span["attributes"]["http.status_code"], began, ended)


def failures(span):
    for event in span["events"]:
        found = event["attributes"]
        yield Failure(found["exception.message"], found["exception.stacktrace"], span["name"])


class TestOpenTelemetry(Traces):
    def test_the_span_has_the_route_as_an_attribute(self, account):
        routes = {span["attributes"].get("http.route") for span in spans(account.log)}
        assert "company/private/<slug:word>/" in routes
