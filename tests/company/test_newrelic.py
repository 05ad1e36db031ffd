"""newrelic, which replaces ``WSGIHandler.__call__``; developer mode writes what it would send."""

import ast

import pytest

from support.company.account import Failure, Handshake, Traces, visited

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def account(site, tmp_path_factory):
    audit = tmp_path_factory.mktemp("newrelic") / "audit.log"
    account = visited(
        site, "newrelic", "newrelic-admin", "run-program",
        DJANGO_SETTINGS_MODULE="support.company.with_newrelic",
        NEW_RELIC_DEVELOPER_MODE="true",
        NEW_RELIC_LICENSE_KEY="0" * 40,
        NEW_RELIC_APP_NAME="company",
        NEW_RELIC_AUDIT_LOG=str(audit),
        NEW_RELIC_LOG=str(audit.with_name("agent.log")),
        # Ask no cloud for this machine's name.
        **{
            f"NEW_RELIC_UTILIZATION_DETECT_{cloud}": "false"
            for cloud in ("AWS", "AZURE", "GCP", "PCF", "DOCKER", "KUBERNETES")
        },
    )  # fmt: skip
    for _, _, events in sent(audit, "analytic_event_data"):
        account.handshakes += [handshake(event, agent) for event, _, agent in events]
    for _, errors in sent(audit, "error_data"):
        account.failures += [failure(*error) for error in errors]
    return account


def sent(audit, method):
    """The data of each request with this method."""
    for request in audit.read_text().split(f"\n{'=' * 78}\n"):
        if f"'method': '{method}'" in request:
            yield ast.literal_eval(request.partition("\nDATA: ")[2].strip())


def handshake(event, agent):
    return Handshake(
        event["name"].removeprefix("WebTransaction/WebSocket/"),
        agent["http.statusCode"],
        event["timestamp"] / 1e3,
        event["timestamp"] / 1e3 + event["duration"],
    )


def failure(when, transaction, message, kind, more):
    return Failure(message, str(more["stack_trace"]), more["userAttributes"]["route"])


class TestNewRelic(Traces):
    pass
