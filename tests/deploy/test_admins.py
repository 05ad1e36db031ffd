"""People come and go on a host, which keeps what it had."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
from controller import Controller, everything_on
from host import SSH_OPTIONS

from support.server import wait_for

pytestmark = [pytest.mark.timeout(900), pytest.mark.scenario]

PLAY = "../tests/deploy/base"
PASSWORD = 'it\'s a "pass" $HOME'
OWN_UPDATES = 'APT::Periodic::Unattended-Upgrade "0";'


class People:
    """A host with a user that it had before, and keys for anybody."""

    def __init__(self, host, controller, proxy, folder):
        self.host = host
        self.play = controller.play
        self.proxy = proxy
        self._folder = folder

    def key(self, name: str) -> Path:
        file = self._folder / name
        if not file.exists():
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file]
            subprocess.run(make, check=True)
        return file

    def admins(self, *names: str) -> list[dict[str, str]]:
        return [{"name": name, "key": self.key(name).with_suffix(".pub").read_text().strip()}
                for name in names]  # fmt: skip

    def let_in(self, *names: str, **variables):
        return self.play(PLAY, "--tags=admins", base_admins=self.admins(*names), **variables)

    def run_as(self, user: str, command: str, *words: str | Path, **environment: str) -> str:
        """What a command prints; nothing where the user may not log in, or where it fails."""
        identity = words or ("-i", self.key(user))
        return subprocess.run(
            ["ssh", "-F", "none", *identity, *SSH_OPTIONS, "-o", "BatchMode=yes",
             f"{user}@{self.host.address}", command],
            check=False, capture_output=True, text=True, env=os.environ | environment,
        ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def people(laboratory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    (host,) = laboratory.boot("people")
    controller = Controller(
        folder, [host], laboratory.network, address=host.address, **everything_on("people")
    )
    # An image: empty lists of packages that look new, and settings of its own.
    host.ssh(f"touch /var/lib/apt/lists; echo '{OWN_UPDATES}' >/etc/apt/apt.conf.d/60own")
    host.ssh("useradd --create-home carl")
    host.set_kernel("net.core.somaxconn", 20000)
    people = People(host, controller, laboratory.network.proxy, folder)
    people.play(PLAY, base_admins=people.admins("ada", "carl")).expect_success()
    return people


@pytest.fixture
def ada_and_carl(people):
    people.let_in("ada", "carl").expect_success()


def test_admins_become_root_and_others_do_not(people, ada_and_carl):
    assert people.run_as("ada", "sudo -n id -u") == "0\n"
    assert people.run_as("carl", "sudo -n id -u") == "0\n"
    people.host.ssh("useradd --groups sudo erin 2>/dev/null || true")
    assert people.host.ssh("setpriv --reuid=erin --clear-groups sudo -n id -u", check=False) == ""


def test_the_second_run_changes_nothing(people, ada_and_carl):
    play = people.play(PLAY, base_admins=people.admins("ada", "carl")).expect_success()
    assert play.changed == {"people": 0}


def test_who_leaves_the_list_is_gone_and_whom_the_host_had_stays_a_user(people, ada_and_carl):
    people.let_in("carl").expect_success()
    assert people.run_as("ada", "id -un") == ""
    assert people.host.ssh("getent passwd ada", check=False) == ""
    people.let_in().expect_success()
    assert people.host.ssh("getent passwd carl")
    assert people.run_as("carl", "id -un") == ""
    assert people.host.ssh("setpriv --reuid=carl --clear-groups sudo -n id -u", check=False) == ""
    assert people.let_in().expect_success().changed == {"people": 0}


def test_a_key_that_was_replaced_lets_nobody_in(people, ada_and_carl):
    old = people.key("ada")
    new = people.admins("another")[0]["key"]
    people.play(
        PLAY, "--tags=admins", base_admins=[{"name": "ada", "key": new}, *people.admins("carl")]
    ).expect_success()
    assert people.run_as("ada", "id -un", "-i", old) == ""
    assert people.run_as("ada", "id -un", "-i", people.key("another")) == "ada\n"


def test_another_site_keeps_its_admin(people, ada_and_carl):
    people.let_in("ada", stack_site="shop").expect_success()
    people.let_in("carl").expect_success()
    assert people.run_as("ada", "sudo -n id -u") == "0\n"
    people.let_in(stack_site="shop").expect_success()
    assert people.run_as("ada", "id -un") == ""
    assert people.host.ssh("getent passwd ada", check=False) == "", "though the other one made it"


def test_the_user_that_ansible_logs_in_as_is_not_taken_away(people, ada_and_carl):
    key = str(people.key("ada"))
    play = people.let_in("carl", ansible_user="ada", ansible_ssh_private_key_file=key)
    assert play.status != 0
    assert "ansible_user" in play.output
    assert people.run_as("ada", "id -un") == "ada\n"


def test_an_agent_may_have_many_keys(people, ada_and_carl):
    wrong = [people.key(f"wrong-{number}") for number in range(10)]
    with agent(*wrong, people.key("ada")) as socket:
        assert people.run_as("ada", "id -un", "-o", f"IdentityAgent={socket}") == "ada\n"


def test_sudo_may_ask_for_a_password(people):
    people.host.ssh(
        "useradd --create-home --groups sudo --shell /bin/bash dora 2>/dev/null || true; "
        "install -d -m 700 -o dora ~dora/.ssh; chpasswd <<'END'\n"
        f"dora:{PASSWORD}\nEND\n"
        f"echo '{people.admins('dora')[0]['key']}' >~dora/.ssh/authorized_keys"
    )
    assert people.run_as("dora", "sudo -n id -u") == ""
    dora = {
        "ansible_user": "dora",
        "ansible_ssh_private_key_file": str(people.key("dora")),
        "ansible_become_password": PASSWORD,
    }
    people.play(PLAY, **dora).expect_success()
    people.play("site", "--tags=postgresql", **dora).expect_success()


def test_what_the_host_has_stays(people):
    assert "somaxconn = 20000" in people.host.ssh("cat /etc/sysctl.d/60-stack.conf")
    dump = people.host.ssh("apt-config dump APT::Periodic::Unattended-Upgrade")
    assert OWN_UPDATES in dump
    assert "enabled" in people.host.ssh("systemctl is-enabled systemd-timesyncd")
    people.host.ssh(f"http_proxy={people.proxy} apt-get -qq install chrony")
    assert people.play(PLAY, "--tags=packages").expect_success().changed == {"people": 0}
    assert "enabled" in people.host.ssh("systemctl is-enabled chrony")


@contextlib.contextmanager
def agent(*keys):
    """The socket of an agent that offers these keys, in this order."""
    socket = keys[0].with_suffix(".agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        wait_for(socket.exists, "the agent's socket")
        environment = os.environ | {"SSH_AUTH_SOCK": str(socket)}
        for key in keys:
            subprocess.run(
                ["ssh-add", "-q", key], check=True, env=environment, stderr=subprocess.DEVNULL
            )
        yield socket
    finally:
        process.kill()
        process.wait()
