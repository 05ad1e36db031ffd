"""The commands of docs/how-to/upgrade-a-host.md, on a Debian 12 that becomes a Debian 13."""

import os
import re

import pytest
from controller import ROOT, Controller, everything_on

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.environ.get("LAB_SUITE") == "trixie", reason="begins with Debian 12"),
]

PLAY = "../tests/deploy/base"
WINDOW = {"base_upgrade_on_calendar": "Sun 04:00", "base_upgrade_held": ["postgresql", "redis"]}


def blocks(heading):
    """The commands below a heading of the page."""
    page = (ROOT / "docs" / "how-to" / "upgrade-a-host.md").read_text()
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def next_start(host):
    return host.ssh("systemctl show -P NextElapseUSecRealtime apt-daily-upgrade.timer").split()


@pytest.fixture(scope="module")
def host(laboratory):
    (host,) = laboratory.boot("ageing")
    host.show_the_way_out()
    return host


@pytest.fixture(scope="module")
def base(host, laboratory, tmp_path_factory):
    """Play the role base, with these variables."""
    controller = Controller(
        tmp_path_factory.mktemp("ageing"), [host], laboratory.network,
        address=host.address, **everything_on("ageing"),
    )  # fmt: skip
    return lambda **variables: controller.play(PLAY, **variables).expect_success()


def test_updates_have_a_window_and_leave_alone_what_is_held(host, base):
    base(**WINDOW)
    assert next_start(host)[0] == "Sun"
    assert next_start(host)[2] == "04:00:00"
    held = host.ssh("apt-config dump Unattended-Upgrade::Package-Blacklist")
    assert '"postgresql"' in held
    assert base(**WINDOW).changed == {"ageing": 0}
    base()
    assert next_start(host)[2].startswith("06:")
    assert "postgresql" not in host.ssh("apt-config dump Unattended-Upgrade::Package-Blacklist")


def test_debian_13_has_the_data_of_debian_12(host, base):
    packages = "postgresql redis-server"
    host.ssh(f"apt-get update -qq && apt-get install -y -qq {packages} >/dev/null", timeout=300)
    sql = "cd / && su postgres -c 'psql -Atc \"{}\"'"
    host.ssh(sql.format("CREATE TABLE kept AS SELECT 42 AS answer"))
    host.ssh("redis-cli set key kept && redis-cli save")
    (upgrade,) = blocks("To Debian 13, in place")
    newer, tidy = blocks("PostgreSQL to its next major version")
    host.ssh(f"set -e\n{upgrade}", timeout=900)
    host.ssh(f"set -e\n{newer}", timeout=300)
    host.ssh(f"set -e\n{tidy}", timeout=300)
    host.reboot()
    assert host.ssh("cat /etc/debian_version").startswith("13.")
    assert host.ssh(sql.format("SELECT answer FROM kept")).strip() == "42"
    assert host.ssh(sql.format("SHOW server_version")).startswith("17.")
    assert host.ssh("redis-cli get key").strip() == "kept"
    base(stack_redis_port=6380)  # the other one is Debian's
    assert base(stack_redis_port=6380).changed == {"ageing": 0}
