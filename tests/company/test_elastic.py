"""elastic-apm, whose app puts its middleware in front and listens to Django's signals."""

import json

import pytest

from support.company.account import Failure, Handshake, Traces, visited
from support.company.sink import sink

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def account(site):
    with sink() as reports:
        settings = "support.company.with_elastic"
        environ = {"DJANGO_SETTINGS_MODULE": settings, "ELASTIC_SINK": f"http://{reports.address}"}
        account = visited(site, "elastic", **environ)
    for kind, report in items(reports.requests):
        if kind == "transaction":
            account.handshakes.append(handshake(report))
        elif kind == "error":
            account.failures.append(failure(report))
    return account


def items(requests):
    """Every line that was sent, as (type, JSON)."""
    for path, body in requests:
        if path.startswith("/intake/"):
            for line in body.splitlines():
                yield from json.loads(line).items()


def handshake(transaction):
    began = transaction["timestamp"] / 1e6
    return Handshake(
        transaction["name"],
        transaction["context"]["response"]["status_code"],
        began,
        began + transaction["duration"] / 1e3,
    )


def failure(error):
    return Failure(
        error["exception"]["message"].removeprefix("RuntimeError: "),
        str(error["exception"]["stacktrace"]),
        error["context"]["request"]["url"]["full"],
        error["context"]["user"]["username"],
    )


class TestElastic(Traces):
    def test_the_event_names_the_user(self, account):
        assert account.failures[0].user == "mary"
