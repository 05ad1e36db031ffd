"""``ddtrace-run``, with an agent of the test's own."""

import base64
import json
import subprocess

import pytest

from support.company.account import Failure, Handshake, Traces, visited
from support.company.environments import environment
from support.company.sink import sink

pytestmark = pytest.mark.timeout(300)

_DECODE = """
import base64, json, msgpack, sys
for line in sys.stdin:
    strings, traces = msgpack.unpackb(base64.b64decode(line), strict_map_key=False)
    print(json.dumps([[strings, *trace] for trace in traces]))
"""
#: Version 0.5 of its protocol: texts are indexes into a table.
_FIELDS = (
    "service", "name", "resource", "trace", "id", "parent", "start", "duration", "error",
    "meta", "metrics", "type",
)  # fmt: skip
_TEXTS = ("service", "name", "resource", "type")


@pytest.fixture(scope="module")
def account(site):
    with sink() as reports:
        account = visited(
            site, "ddtrace", "ddtrace-run",
            DJANGO_SETTINGS_MODULE="support.company.with_ddtrace",
            DD_TRACE_AGENT_URL=f"http://{reports.address}",
            DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
            DD_REMOTE_CONFIGURATION_ENABLED="false",
        )  # fmt: skip
    for span in spans(body for path, body in reports.requests if path == "/v0.5/traces"):
        if span["name"] == "django.request":
            account.handshakes.append(handshake(span))
        elif span["name"] == "websocket.view":
            account.failures.append(failure(span))
    return account


def spans(bodies):
    done = subprocess.run(
        [environment("ddtrace"), "-c", _DECODE],
        input=b"\n".join(base64.b64encode(body) for body in bodies),
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        for strings, *trace in json.loads(line):
            for values in trace:
                span = dict(zip(_FIELDS, values, strict=True))
                span |= {name: strings[span[name]] for name in _TEXTS}
                span["meta"] = {
                    strings[int(key)]: strings[value] for key, value in span["meta"].items()
                }
                yield span


def handshake(span):
    began = span["start"] / 1e9
    return Handshake(
        span["resource"],
        int(span["meta"]["http.status_code"]),
        began,
        began + span["duration"] / 1e9,
    )


def failure(span):
    meta = span["meta"]
    return Failure(meta["error.message"], meta["error.stack"], span["resource"])


class TestDatadog(Traces):
    pass
