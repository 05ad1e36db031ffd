"""`vagrant up`, with the LXC provider and a box made of the lab's Debian."""

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

pytestmark = pytest.mark.timeout(1500)

TUTORIAL = (ROOT / "docs" / "tutorial" / "vagrant.md").read_text()
#: What it tells to type, by the inventory and the playbook.
COMMANDS = {
    command.partition(" -i ")[2]: command
    for command in re.findall(r"^    (ansible-playbook .+)$", TUTORIAL, re.M)
}
EDITED = ", and my own</h1>"

#: Where a machine that runs Ansible itself finds them, too.
EXTRA = "ansible/extra.yml"
#: Whose files such a machine may write: the number of its own user, as most people's.
OWNER = "1000"


class Vagrant:
    """Vagrant in a checkout of its own, with boxes and settings of its own.

    The provider names its containers after the checkout. ``machines`` have these addresses.
    """

    def __init__(
        self, checkout: Path, machines: dict[str, str], variables: dict, **environment: str
    ):
        home = checkout.parent / "home"
        self.checkout = checkout
        copy_checkout(self.checkout)
        (self.checkout / EXTRA).write_text(yaml.safe_dump(variables))
        subprocess.run(["chown", "--recursive", OWNER, self.checkout], check=True)
        self._addresses = checkout.parent / "addresses.yml"
        hosts = {name: {"ansible_host": address} for name, address in machines.items()}
        self._addresses.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        home.mkdir()
        (home / "Vagrantfile").write_text(box.addresses(machines))
        self._environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "STACK_BOX": "lab/debian12",
            "STACK_EXTRA_VARS": EXTRA,
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": "lxc",
            "VAGRANT_HOME": str(home),
            **environment,
        }

    def __call__(self, words: str) -> str:
        """What ``vagrant words`` prints."""
        return self._run(["vagrant", *shlex.split(words)], self.checkout)

    def play(self, command: str) -> str:
        """A command of the tutorial, on the machines where the provider has put them."""
        words = [
            *shlex.split(command), "-i", str(self._addresses),
            f"-e@{self.checkout / EXTRA}", "-evagrant_provider=lxc",
        ]  # fmt: skip
        return self._run(words, self.checkout / "ansible")

    def _run(self, words: list[str], folder: Path) -> str:
        process = subprocess.run(
            words, cwd=folder, env=self._environment, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.returncode == 0, process.stdout[-6000:]
        return process.stdout


@dataclass(frozen=True)
class Made:
    vagrant: Vagrant
    up: str
    provision: str
    site: Site


@pytest.fixture(scope="module")
def make(laboratory, tmp_path_factory):
    """Bring machines up, and provision them again. The site is reached by the first one."""
    if reason := machine.why_no_vagrant():
        pytest.skip(reason)

    @contextmanager
    def make(*names, first_address, **environment):
        folder = tmp_path_factory.mktemp("vagrant")
        # There are no forwarded ports: the provider's machines are reached by their own addresses.
        machines = {
            name: laboratory.network.address(number)
            for number, name in enumerate(names, first_address)
        }
        address = machines[names[0]]
        variables = lab_variables(laboratory.network, address) | {
            "nginx_public_https_port": 443,
            "private_address": "{{ ansible_host | default(inventory_hostname) }}",
            "base_ca_certificates": [],  # the box has them
        }
        checkout = folder / leftovers.container(laboratory.number)
        vagrant = Vagrant(checkout, machines, variables, **environment)
        vagrant(f"box add --name lab/debian12 {box.make(laboratory, folder)}")
        try:
            up = vagrant("up")
            provision = vagrant("provision")
            show = "sudo sh -c 'cat /etc/nginx/stack.d/tls/self-signed-*.pem'"
            certificate = vagrant(f'ssh {names[0]} -c "{show}"')
            yield Made(vagrant, up, provision, Site(address, certificate))
        finally:
            vagrant("destroy --force")

    return make


@pytest.fixture(scope="module")
def vagrant_machine(make):
    with make("stack", first_address=200) as made:
        yield made


def edit(vagrant: Vagrant) -> None:
    """Change the file that the tutorial names."""
    (name,) = re.findall(r"^Edit `(.+?)`", TUTORIAL, re.M)
    page = vagrant.checkout / name
    page.write_text(page.read_text().replace("</h1>", EDITED))


def changes(output: str) -> set[str]:
    """How many tasks changed something, in the words of a play's last lines."""
    return set(re.findall(r"changed=\d+", output))


def test_a_computer_without_ansible_needs_none(make):
    with make("stack", first_address=210, STACK_ANSIBLE="ansible_local") as made:
        made.site.chat("lobby", "hello from inside")
        assert changes(made.provision) == {"changed=0"}


def test_four_small_machines_are_one_site(make):
    names = ("proxy1", "web1", "websocket1", "websocket2")
    with make(*names, first_address=220, STACK="cluster") as made:
        made.site.chat("lobby", "hello from the cluster")
        assert f"https://{made.site.address}/" in made.up[-1500:]
        assert changes(made.provision) == {"changed=0"}
        edit(made.vagrant)
        made.vagrant.play(COMMANDS["inventories/vagrant-cluster deploy.yml"])
        assert EDITED in made.site.read("/")


def test_it_ends_with_the_address(vagrant_machine):
    assert f"https://{vagrant_machine.site.address}/" in vagrant_machine.up[-1500:]


def test_two_clients_chat(vagrant_machine):
    vagrant_machine.site.chat("lobby", "hello from vagrant")


def test_provisioning_again_changes_nothing(vagrant_machine):
    assert changes(vagrant_machine.provision) == {"changed=0"}


def test_the_tutorial_deploys_what_was_edited_and_takes_it_back(vagrant_machine):
    vagrant, site = vagrant_machine.vagrant, vagrant_machine.site
    edit(vagrant)
    vagrant.play(COMMANDS["inventories/vagrant deploy.yml"])
    assert EDITED in site.read("/")
    vagrant.play(COMMANDS["inventories/vagrant rollback.yml"])
    assert EDITED not in site.read("/")
