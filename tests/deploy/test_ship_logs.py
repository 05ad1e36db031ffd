"""The commands of docs/how-to/ship-logs.md, on a log host and on one whose programs write files."""

import re

import pytest
from controller import ROOT

from support.server import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

LOG = "/var/lib/stack/log/websocket-1.log"


def commands():
    """The page's blocks: for the log host, and for a host of the site."""
    page = (ROOT / "docs" / "how-to" / "ship-logs.md").read_text()
    collect, ship = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return collect, ship


@pytest.fixture(scope="module")
def hosts(laboratory):
    logs, web = laboratory.boot("logs", "web1")
    for host, block in zip((logs, web), commands(), strict=True):
        host.ssh("mkdir -p /var/lib/stack/log /var/log/nginx && touch /var/log/nginx/error.log")
        proxy = f"export http_proxy={laboratory.network.proxy} DEBIAN_FRONTEND=noninteractive"
        block = block.replace("10.0.0.9", logs.address)
        host.ssh(f"set -e\n{proxy}\napt-get update -qq\n{block}", timeout=300)
    return logs, web


def arrives(logs, program, text):
    path = f"/var/log/hosts/web1/{program}.log"
    wait_for(
        lambda: text in logs.ssh(f"cat {path} 2>/dev/null || true"),
        lambda: logs.ssh("head -50 $(find /var/log/hosts -type f)"),
    )


def test_lines_of_each_file_and_of_the_journal_arrive(hosts):
    logs, web = hosts
    web.ssh(f"echo 'a socket has closed request=0123' >>{LOG}")
    web.ssh("echo '\"GET / HTTP/1.1\" 200 request=0123' >>/var/log/nginx/stack.access.log")
    web.ssh("logger --tag somebody from the journal")
    arrives(logs, "stack-websocket", "a socket has closed request=0123")
    arrives(logs, "stack-nginx", '"GET / HTTP/1.1" 200 request=0123')
    arrives(logs, "somebody", "from the journal")


def test_a_file_may_rotate(hosts):
    logs, web = hosts
    web.ssh(f"echo 'before' >>{LOG}; mv {LOG} {LOG}.1; echo 'after rotation' >{LOG}")
    arrives(logs, "stack-websocket", "before")
    arrives(logs, "stack-websocket", "after rotation")


def test_what_is_logged_while_the_log_host_is_away_arrives_later(hosts):
    logs, web = hosts
    logs.ssh("systemctl stop rsyslog")
    web.ssh(f'for number in $(seq 100); do echo "away $number." >>{LOG}; done')
    web.ssh("systemctl restart rsyslog")  # what waits survives that, too
    logs.ssh("systemctl start rsyslog")
    arrives(logs, "stack-websocket", "away 100.")
    found = logs.ssh("grep -o 'away [0-9]*' /var/log/hosts/web1/stack-websocket.log")
    assert len(set(found.splitlines())) >= 99


def test_the_collected_files_rotate(hosts):
    logs, _ = hosts
    logs.ssh("logrotate --force /etc/logrotate.d/collected")
    assert "stack-websocket.log.1" in logs.ssh("ls /var/log/hosts/web1")
