"""`vagrant up`, with the LXC provider and a box made of the lab's Debian 12."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import box
import leftovers
import machine
import pytest
import yaml
from controller import ROOT, copy_checkout, lab_variables
from visitors import Site

pytestmark = pytest.mark.timeout(1200)

TUTORIAL = (ROOT / "docs" / "tutorial" / "vagrant.md").read_text()


#: Where a machine that runs Ansible itself finds them, too.
EXTRA = "ansible/extra.yml"
#: Whose files such a machine may write: the number of its own user, as most people's.
OWNER = "1000"


class Vagrant:
    """Vagrant in a checkout of its own, with boxes and settings of its own.

    The provider names its container after the checkout. Its machine has ``address``.
    """

    def __init__(self, checkout: Path, address: str, variables: dict, provisioner: str):
        folder = checkout.parent
        self.checkout = checkout
        self._address = address
        copy_checkout(self.checkout)
        (self.checkout / EXTRA).write_text(yaml.safe_dump(variables))
        subprocess.run(["chown", "--recursive", OWNER, self.checkout], check=True)
        self._environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "STACK_ANSIBLE": provisioner,
            "STACK_BOX": "lab/debian12",
            "STACK_EXTRA_VARS": EXTRA,
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": "lxc",
            "VAGRANT_HOME": str(folder / "home"),
        }

    def __call__(self, words: str) -> str:
        """What ``vagrant words`` prints."""
        return self._run(["vagrant", *shlex.split(words)], self.checkout)

    def play(self, command: str) -> str:
        """A command of the tutorial, on the machine where the provider has put it."""
        machine = f"-eansible_host={self._address} vagrant_provider=lxc"
        words = [*shlex.split(command), f"-e@{self.checkout / EXTRA}", machine]
        return self._run(words, self.checkout / "ansible")

    def _run(self, words: list[str], folder: Path) -> str:
        process = subprocess.run(
            words, cwd=folder, env=self._environment, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.returncode == 0, process.stdout[-6000:]
        return process.stdout


@dataclass(frozen=True)
class Machine:
    vagrant: Vagrant
    up: str
    provision: str
    site: Site


@pytest.fixture(scope="module")
def make(laboratory, tmp_path_factory):
    """Bring a machine up with a provisioner of Vagrant's, and provision it again."""
    if reason := machine.why_no_vagrant():
        pytest.skip(reason)

    @contextmanager
    def make(provisioner, number):
        folder = tmp_path_factory.mktemp(provisioner)
        # There are no forwarded ports: the provider's machine is reached by its own address.
        address = laboratory.network.address(number)
        variables = lab_variables(laboratory.network, address) | {
            "nginx_public_https_port": 443,
            "base_ca_certificates": [],  # the box has them
        }
        checkout = folder / leftovers.container(laboratory.number)
        vagrant = Vagrant(checkout, address, variables, provisioner)
        vagrant(f"box add --name lab/debian12 {box.make(laboratory, folder, address)}")
        try:
            up = vagrant("up")
            provision = vagrant("provision")
            certificate = vagrant("ssh -c \"sudo sh -c 'cat /etc/nginx/tls/self-signed-*.pem'\"")
            yield Machine(vagrant, up, provision, Site(address, certificate))
        finally:
            vagrant("destroy --force")

    return make


@pytest.fixture(scope="module")
def vagrant_machine(make):
    with make("ansible", 200) as made:
        yield made


def test_a_computer_without_ansible_needs_none(make):
    with make("ansible_local", 201) as made:
        made.site.chat("lobby", "hello from inside")
        assert "changed=0" in made.provision


def test_it_ends_with_the_address(vagrant_machine):
    assert f"https://{vagrant_machine.site.address}/" in vagrant_machine.up[-1500:]


def test_two_clients_chat(vagrant_machine):
    vagrant_machine.site.chat("lobby", "hello from vagrant")


def test_provisioning_again_changes_nothing(vagrant_machine):
    assert "changed=0" in vagrant_machine.provision


def test_the_tutorial_deploys_what_was_edited_and_takes_it_back(vagrant_machine):
    vagrant, site = vagrant_machine.vagrant, vagrant_machine.site
    (edited,) = re.findall(r"^Edit `(.+?)`", TUTORIAL, re.M)
    deploy, rollback = re.findall(r"^    (ansible-playbook .+)$", TUTORIAL, re.M)
    page = vagrant.checkout / edited
    page.write_text(page.read_text().replace("</h1>", ", and my own</h1>"))
    vagrant.play(deploy)
    assert ", and my own</h1>" in site.read("/")
    vagrant.play(rollback)
    assert ", and my own</h1>" not in site.read("/")
