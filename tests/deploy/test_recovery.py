"""The commands of docs/how-to/point-in-time-and-replica.md, on two hosts with PostgreSQL."""

import re

import pytest
from controller import ROOT

from support.server import wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

INSTALL = "apt-get install -y -qq --no-install-recommends postgresql >/dev/null"


def blocks(heading):
    """The commands below a heading of the page."""
    page = (ROOT / "docs" / "how-to" / "point-in-time-and-replica.md").read_text()
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def hosts(laboratory):
    return laboratory.boot("data1", "data2")


@pytest.fixture(scope="module")
def run(hosts, laboratory):
    """Run commands of the page on a host, with the addresses and the proxy of the lab."""
    addresses = {"10.0.0.40": hosts[0].address, "10.0.0.41": hosts[1].address}

    def run(host, commands, **values):
        for before, after in (addresses | values).items():
            commands = commands.replace(before, after)
        proxy = f"export http_proxy={laboratory.network.proxy} DEBIAN_FRONTEND=noninteractive"
        return host.ssh(f"set -e\n{proxy}\n{commands}", timeout=600)

    return run


def sql(host, statement):
    return host.ssh(f'cd / && su postgres -c "psql -At -c \\"{statement}\\""').strip()


@pytest.fixture(scope="module")
def server(hosts, run):
    """PostgreSQL as the role leaves it: it listens on its address."""
    server = hosts[0]
    run(server, f"apt-get update -qq; {INSTALL}")
    sql(server, "ALTER SYSTEM SET listen_addresses = '*'")
    server.ssh("systemctl restart postgresql@$(ls /etc/postgresql)-main")
    sql(server, "CREATE TABLE said (text text)")
    return server


@pytest.fixture(scope="module")
def returned(server, run):
    """What the server has, once it is back at a moment before a mistake."""
    archive, base = blocks("Archive the WAL")
    back, is_back, tidy = blocks("Go back to a point in time")
    run(server, archive)
    sql(server, "INSERT INTO said VALUES ('before the base backup')")
    run(server, base)
    sql(server, "INSERT INTO said VALUES ('after it')")
    moment = sql(server, "SELECT now()")
    sql(server, "DROP TABLE said")
    sql(server, "SELECT pg_switch_wal()")
    day = server.ssh("ls /mnt/archive/base").strip()
    values = {"2026-11-28 09:29:00 UTC": moment, "base/2026-11-28": f"base/{day}"}
    run(server, back, **values)
    wait_for(lambda: run(server, is_back).strip() == "f")
    run(server, tidy)
    return sql(server, "SELECT string_agg(text, ', ') FROM said")


def test_the_database_is_as_it_was_before_the_mistake(returned):
    assert returned == "before the base backup, after it"


def test_a_replica_follows_and_takes_over(server, returned, hosts, run):
    replica = hosts[1]
    let_in, follow, shows = blocks("Have a replica")
    off, promote = blocks("The server is lost: promote the replica")
    run(server, let_in)
    run(replica, f"apt-get update -qq; {follow}")
    wait_for(lambda: "|streaming|" in run(server, shows))
    sql(server, "INSERT INTO said VALUES ('to the replica, too')")
    wait_for(lambda: "too" in sql(replica, "SELECT max(text) FROM said"))
    run(server, off)
    assert run(replica, promote).strip() == "t"
    sql(replica, "INSERT INTO said VALUES ('written here')")
    assert sql(replica, "SELECT count(*) FROM said") == "4"
