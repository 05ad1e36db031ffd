"""sentry-sdk, whose Django integration turns itself on and replaces ``WSGIHandler.__call__``."""

import json
from datetime import datetime

import pytest

from support.company.account import Failure, Handshake, Traces, visited
from support.company.sink import sink

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def account(site):
    with sink() as reports:
        settings = "support.company.with_sentry"
        environ = {
            "DJANGO_SETTINGS_MODULE": settings,
            "SENTRY_SINK": f"http://key@{reports.address}/1",
        }
        account = visited(site, "sentry", **environ)
    for kind, report in items(reports.requests):
        if kind == "transaction":
            account.handshakes.append(handshake(report))
        elif kind == "event":
            account.failures.append(failure(report))
    return account


def items(requests):
    """Every item of every envelope, as (type, JSON)."""
    for _, body in requests:
        lines = body.split(b"\n")[1:]
        for header, payload in zip(lines[::2], lines[1::2], strict=False):
            yield json.loads(header)["type"], json.loads(payload)


def handshake(transaction):
    return Handshake(
        transaction["transaction"],
        transaction["contexts"]["response"]["status_code"],
        datetime.fromisoformat(transaction["start_timestamp"]).timestamp(),
        datetime.fromisoformat(transaction["timestamp"]).timestamp(),
    )


def failure(event):
    (error,) = event["exception"]["values"]
    return Failure(
        error["value"],
        str(error["stacktrace"]["frames"]),
        event["transaction"] + event["request"]["url"],
        event["user"]["username"],
    )


class TestSentry(Traces):
    def test_the_event_names_the_user(self, account):
        assert account.failures[0].user == "mary"
