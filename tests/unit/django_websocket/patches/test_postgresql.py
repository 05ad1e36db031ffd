"""psycopg in gevent's own way: queries that end, and those that do not; on a real PostgreSQL."""

import json
import os
import subprocess
import sys

import pytest

from support.postgresql import postgresql
from support.server import PATIENCE, ROOT

#: Runs in a process that gevent has patched; prints what each function returns, by its name.
SCRIPT = ROOT / "tests/support/postgresql_queries.py"


def run(url, **env):
    run = subprocess.run(
        [sys.executable, "-m", "gevent.monkey", SCRIPT, url],
        env=os.environ | {"PYTHONPATH": str(ROOT / "app")} | env,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def outcomes():
    with postgresql() as url:
        yield run(url) | {"chosen": run(url, PSYCOPG_WAIT_FUNC="wait_poll")["installed"]}


EXPECTED = {
    "installed": True,
    "a_result": [1, 2, 3],
    "much_both_ways": 20_000_000,
    "others_run": True,
    "a_greenlet_with_a_timeout": "Timeout",
    "a_greenlet_that_is_killed": True,
    "the_query_is_cancelled": "QueryCanceled",
    "the_server_has_a_timeout": "QueryCanceled",
    "the_server_hangs_up": "AdminShutdown",
    "another_greenlet_closes": "OperationalError",
    "an_empty_pool": "PoolTimeout",
    "notifications": ["first"],
    "afterwards": 1,
    "chosen": False,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_query_ends_as_it_would_without_gevent(outcomes, name):
    assert outcomes[name] == EXPECTED[name]


def test_a_process_that_gevent_has_not_patched_is_left_alone():
    script = (
        "from django_websocket.patches.postgresql import wait_in_gevent\n"
        "from psycopg import waiting\n"
        "before = waiting.wait\n"
        "wait_in_gevent()\n"
        "assert waiting.wait is before\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT / "app", timeout=PATIENCE)
