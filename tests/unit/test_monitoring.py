"""The board and the alerts for Prometheus are about metrics that there are."""

import json
import re
import subprocess

import pytest
import yaml

from support.metered import events, metered_site, scraped
from support.prometheus import prometheus
from support.server import ROOT

FOLDER = ROOT / "deploy" / "monitoring"
#: Files of alert rules, each with a test beside it.
RULES = ("alerts", "hosts_alerts")
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']}, {target['refId']}")
    for panel in json.loads((FOLDER / "grafana.json").read_text())["panels"]
    for target in panel.get("targets", ())
]

#: What happens while the recorded metrics are scraped: something for every panel.
HAPPENING = (
    events.open_and_close, events.refuse, events.exchange_messages, events.replay,
    events.take_back, events.be_present, events.lose_the_broker, events.work_on_messages,
)  # fmt: skip


@pytest.fixture(scope="module")
def scrapes(tmp_path_factory):
    with metered_site(tmp_path_factory.mktemp("metered") / "log") as server:
        found = [scraped(server)]
        for event in HAPPENING:
            for _ in event(server):
                found.append(scraped(server))
        found += [scraped(server), scraped(server)]
        return found


@pytest.fixture(scope="module")
def server(scrapes):
    with prometheus(scrapes, job="websocket", instance="10.0.0.5:8201") as server:
        yield server


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_of_the_board_finds_something(server, query):
    for variable, value in {
        "$job": "websocket", "$instance": ".+", "$__rate_interval": "10m",
    }.items():  # fmt: skip
        query = query.replace(variable, value)
    assert server.query(query)


def test_the_board_and_the_alerts_name_no_metric_that_there_is_not(scrapes):
    known = {name.partition("{")[0] for name in scrapes[-1]} | {"up"}
    for name in ("grafana.json", "alerts.yml", "alerts_test.yml"):
        text = (FOLDER / name).read_text()
        used = set(re.findall(r"\b(?:websocket|process)_[a-z_]+\b(?!\s*[:/])", text))
        assert used <= known, name


def promtool(*arguments):
    command = ["promtool", *arguments]
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)


@pytest.mark.parametrize("rules", RULES)
def test_promtool_accepts_the_alerts(rules):
    done = promtool("check", "rules", "--lint-fatal", f"{rules}.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rules", RULES)
def test_each_alert_fires_and_clears(rules):
    done = promtool("test", "rules", f"{rules}_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    tested = yaml.safe_load((FOLDER / f"{rules}_test.yml").read_text())["tests"]
    groups = yaml.safe_load((FOLDER / f"{rules}.yml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]
    assert sorted(each["name"] for each in tested) == sorted(alerts)
    for each in tested:
        checks = [bool(check.get("exp_alerts")) for check in each["alert_rule_test"]]
        assert checks[-2:] == [True, False], each["name"]
