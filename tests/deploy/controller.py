"""The machine that Ansible runs on: a checkout of its own, in which releases can be broken."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from host import SSH_OPTIONS
from machine import ca_certificates
from repository import Repository

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Play:
    """How a playbook ended."""

    status: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed something, by host."""
        return {
            host: int(count)
            for host, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", self.output, re.M)
        }

    def expect_success(self) -> "Play":
        first_error = max(self.output.find("[ERROR]"), 0)
        assert self.status == 0, f"{self.output[first_error:][:6000]}\n…\n{self.output[-1000:]}"
        return self


class Controller(Repository):
    """``folder`` is empty; ``address`` is where the site is reached, ``groups`` who does what."""

    def __init__(
        self,
        folder: Path,
        machines: Iterable[Any],
        network: Any,
        address: str,
        **groups: list[str],
    ):
        self.checkout = folder / "checkout"
        super().__init__(self.checkout)
        self._inventory = folder / "inventory"
        copy_checkout(self.checkout)
        self.commit("The release that serves")
        self._settings = lab_variables(network, address) | {
            "ansible_user": "root",
        }
        self._hosts = {
            each.name: {
                "ansible_host": each.address,
                "ansible_ssh_private_key_file": str(each.key),
            }
            for each in machines
        }
        self._groups = groups
        self._write_inventory()

    def play(self, playbook: str, *words: str, **variables: Any) -> Play:
        """Run a playbook of the checkout, with extra variables."""
        extra = [f"--extra-vars={yaml.safe_dump(variables, default_flow_style=True, width=9999)}"]
        process = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", self._inventory,
             f"{playbook}.yml", *words, *(extra if variables else [])],
            cwd=self.checkout / "ansible", check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(self._inventory.parent)},
        )  # fmt: skip
        with (self.checkout.parent / "plays.log").open("a") as log:
            log.write(process.stdout)
        return Play(process.returncode, process.stdout)

    def add_host(self, group: str, name: str) -> None:
        """The one line that another host takes."""
        self._groups[group].append(name)
        self._write_inventory()

    def _write_inventory(self) -> None:
        self._inventory.mkdir(exist_ok=True)
        used = {name for names in self._groups.values() for name in names}
        children = {
            group: {"hosts": {name: {} for name in names}} for group, names in self._groups.items()
        }
        hosts = {name: self._hosts[name] for name in used}
        content = {"all": {"vars": self._settings, "hosts": hosts, "children": children}}
        (self._inventory / "hosts.yml").write_text(yaml.safe_dump(content))


def everything_on(host: str) -> dict[str, list[str]]:
    """The groups of an inventory with one host."""
    return {group: [host] for group in ("proxy", "web", "websocket", "redis", "postgresql")}


def copy_checkout(target: Path) -> None:
    """The files of this checkout as they are, in a repository of their own without commits."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)


def lab_variables(network: Any, address: str) -> dict[str, Any]:
    """What the playbooks have to know of a closed network, and of containers on one machine."""
    return {
        "stack_server_names": [address],
        "ansible_ssh_common_args": " ".join(SSH_OPTIONS),
        "base_ca_certificates": [str(path) for path in ca_certificates()],
        "stack_environment": {
            "http_proxy": network.proxy,
            "https_proxy": network.proxy,
            "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt",
        },
        # What containers may have of the machine's open files.
        "supervisor_open_files": 16384,
        "app_readiness_timeout": 20,
    }
