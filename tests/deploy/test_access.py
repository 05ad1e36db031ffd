"""Who may come in to a host: whatever is changed, those who provision it are not locked out."""

import socket

import pytest
from controller import Controller, everything_on

pytestmark = [pytest.mark.timeout(900), pytest.mark.scenario]

PLAY = "../tests/deploy/base"
ELSEWHERE = 2222
ANOTHER = 2223
ITS_OWN = 2224
#: sshd listens on the port of the address where that has one; nobody on 22 then.
SSHD = f"Port {ELSEWHERE}\\nListenAddress 0.0.0.0\\nListenAddress 0.0.0.0:{ITS_OWN}\\n"
#: Debian's file for nftables, as other people have filled it.
THEIRS = """#!/usr/sbin/nft -f
flush ruleset
table inet theirs {
    chain input {
        type filter hook input priority 5;
    }
}
"""


class Access:
    """A host on which other people have rules of their own, and sshd listens elsewhere."""

    def __init__(self, host, controller):
        self.host = host
        self._controller = controller

    def play(self, *words, **variables):
        return self._controller.play(PLAY, *words, ansible_port=self.host.ssh_port, **variables)

    def firewall(self, **variables):
        """Only the part of the role that can lock somebody out."""
        return self.play("--tags=firewall", **variables)

    def is_open(self, port: int) -> bool:
        """Whether a packet comes through, be it to be answered that nobody listens."""
        try:
            socket.create_connection((self.host.address, port), timeout=2).close()
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
        return True

    def table(self, name: str) -> str:
        return self.host.ssh(f"nft list table inet {name}", check=False)


@pytest.fixture(scope="module")
def access(laboratory, tmp_path_factory):
    """sshd has moved to another port, and the first play has run."""
    (host,) = laboratory.boot("access")
    controller = Controller(
        tmp_path_factory.mktemp("access"), [host], laboratory.network,
        address=host.address, **everything_on("access"),
    )  # fmt: skip
    access = Access(host, controller)
    host.ssh(f"printf '{SSHD}' >/etc/ssh/sshd_config.d/port.conf && systemctl restart ssh")
    host.ssh_port = ELSEWHERE
    host.ssh(f"printf %s '{THEIRS}' >/etc/nftables.conf")
    access.play().expect_success()
    return access


@pytest.fixture(autouse=True)
def _nobody_is_locked_out(access):
    yield
    assert access.host.ssh("echo in") == "in\n"


def test_the_port_that_ansible_came_in_by_stays_open_and_others_do_not(access):
    assert access.is_open(ELSEWHERE)
    assert access.is_open(ITS_OWN)
    assert access.is_open(443)
    assert not access.is_open(22)
    assert not access.is_open(ANOTHER)


def test_the_second_run_changes_nothing(access):
    assert access.play().expect_success().changed == {"access": 0}
    assert access.play("--check").expect_success().changed == {"access": 0}


def test_a_firewall_that_lets_nobody_in_is_undone_by_itself(access):
    before = access.table("stack")
    play = access.firewall(base_ssh_sources=["192.0.2.1"], base_trial_seconds=30)
    assert play.status != 0
    assert "base_ssh_sources" in play.output
    assert access.table("stack") == before
    assert access.firewall().expect_success().changed["access"] > 0
    assert access.firewall().expect_success().changed == {"access": 0}


def test_a_host_that_loses_its_power_during_a_trial_boots_with_what_was_kept(access):
    wanted = "/etc/stack/access/firewall.nft"
    access.host.ssh(f"sed -i 's/80, 443/80, 443, 9200/' {wanted} && stack-access try 3600")
    assert access.is_open(9200)
    access.host.reboot()
    assert access.is_open(443)
    assert not access.is_open(9200)
    assert access.firewall().expect_success().changed["access"] > 0
    assert access.firewall().expect_success().changed == {"access": 0}


def test_a_full_disk_leaves_the_firewall_that_was_kept(access):
    """New rules do not fit: nothing of them is written, and a boot brings those of before."""
    folder = "/etc/stack/access"
    access.host.ssh(
        f"cd {folder} && cp firewall.nft /run/wanted.nft && mount -t tmpfs -o size=8k none kept"
        " && cp /run/wanted.nft kept/firewall.nft && head -c 4096 /dev/zero >kept/full"
        " && yes '# a long comment' | head -n 300 >firewall.nft"
        " && cat /run/wanted.nft >>firewall.nft"
    )
    try:
        assert access.host.ssh("stack-access try 3600 && stack-access keep || echo no") == "no\n"
        access.host.ssh("nft delete table inet stack && stack-access load")
        assert "dport" in access.table("stack")
    finally:
        access.host.ssh(f"cd {folder} && umount kept && cp /run/wanted.nft firewall.nft")
        access.host.ssh("systemctl stop stack-access-undo.timer; stack-access load")
    assert access.host.ssh("stack-access state") == "in force\n"


def test_what_was_changed_by_hand_is_mended(access):
    handle = access.host.ssh("nft -a list table inet stack | sed -n 's/.*the web.*handle //p'")
    access.host.ssh(f"nft delete rule inet stack site_ports handle {handle}")
    assert not access.is_open(443)
    assert access.firewall().expect_success().changed["access"] > 0
    assert access.is_open(443)


def test_the_tables_of_others_stay(access):
    access.host.ssh("systemctl restart nftables")
    access.firewall(base_open_ports=["53/udp", "9100"]).expect_success()
    assert access.host.ssh("cat /etc/nftables.conf") == THEIRS
    assert access.table("theirs")
    assert access.is_open(9100)


def test_after_others_have_loaded_theirs_ours_is_still_there(access):
    for verb in ("restart", "reload", "stop", "start"):
        access.host.ssh(f"systemctl {verb} nftables")
    assert access.table("theirs")
    assert "ssh" in access.table("stack")


def test_what_one_site_lets_in_another_does_not_close(access):
    one, other = {"base_open_ports": ["9101"]}, {"base_open_ports": ["9102"]}
    access.firewall(**one).expect_success()
    access.firewall(stack_site="shop", **other).expect_success()
    try:
        assert access.is_open(9101)
        assert access.is_open(9102)
        assert not access.is_open(9103)
        assert access.firewall(**one).expect_success().changed == {"access": 0}
    finally:
        access.host.ssh("systemctl disable --now shop-firewall")


def test_every_port_of_ssh_is_let_in_also_where_systemd_listens(access):
    listen = f"[Socket]\\nListenStream=\\nListenStream={ELSEWHERE}\\nListenStream={ANOTHER}\\n"
    access.host.ssh(
        "mkdir -p /etc/systemd/system/ssh.socket.d /run/sshd && "
        f"printf '{listen}' >/etc/systemd/system/ssh.socket.d/ports.conf && "
        "systemctl daemon-reload && systemctl stop ssh.service && "
        "systemctl start ssh.socket"
    )
    access.firewall().expect_success()
    assert access.is_open(ANOTHER)
    assert access.firewall().expect_success().changed == {"access": 0}
