"""django-prometheus, with its two middleware and a port for the process's metrics."""

import re
import urllib.request

import pytest

from support.company.account import Serves, visited
from support.ports import free_port

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def account(site):
    port = free_port()
    metrics = []

    def look():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            metrics.append(page.read().decode())

    account = visited(
        site, "prometheus", look=look,
        DJANGO_SETTINGS_MODULE="support.company.with_prometheus", PROMETHEUS_PORT=str(port),
        APP_PRELOAD="0",
    )  # fmt: skip
    (account.metrics,) = metrics
    return account


class TestPrometheus(Serves):
    @pytest.mark.parametrize(
        ("metric", "number"),
        [
            ('django_http_responses_total_by_status_total{status="302"}', 1),
            ('django_http_responses_total_by_status_total{status="403"}', 2),
            ('django_http_responses_total_by_status_total{status="404"}', 1),
            (
                'django_http_requests_latency_seconds_by_view_method_count{method="GET",view="chat:room"}',
                2,
            ),
            ('django_http_exceptions_total_by_view_total{view="company-fails"}', 1),
        ],
    )
    def test_it_counts_handshakes_and_exceptions(self, account, metric, number):
        (found,) = re.findall(rf"^{re.escape(metric)} (\S+)$", account.metrics, re.MULTILINE)
        assert float(found) == number
