"""A team with a project of its own: its repository, and the stack's checkout beside it."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from controller import ROOT, Play, copy_checkout, lab_variables
from repository import Repository

from support.distribution import build
from support.shop import SHOP


class Team(Repository):
    """``folder`` gets ``stack`` and ``shop``. The shop is on ``host``, under its ``name``.

    What only the lab has to say, and further variables, are in a file of the inventory that the
    team does not have.
    """

    def __init__(self, folder: Path, host: Any, network: Any, name: str, **variables: Any) -> None:
        self.folder = folder
        self.stack = folder / "stack"
        self.shop = folder / "shop"
        super().__init__(self.shop)
        self._lab = lab_variables(network, name) | {
            "ansible_host": host.address,
            "stack_cores": 2,
            "ansible_ssh_private_key_file": str(host.key),
        }
        self._copy_stack()
        shutil.copytree(SHOP, self.shop, ignore=shutil.ignore_patterns("__pycache__", "wheels"))
        self.git("init", "--quiet")
        (self.shop / ".git/info/exclude").write_text("/ops/host_vars/\n")
        self.commit("The shop opens")
        self._always = variables
        self.say()

    def say(self, **variables: Any) -> None:
        """Set these variables, and take back those of the last time."""
        said = self._lab | self._always | variables
        folder = self.shop / "ops" / "host_vars"
        folder.mkdir(exist_ok=True)
        (folder / "counter.yml").write_text(yaml.safe_dump(said))

    def build_wheel(self) -> None:
        """What the page types, for tests that do not follow it."""
        build(self.folder / "dist")
        (self.shop / "wheels").mkdir()
        for wheel in (self.folder / "dist").glob("*.whl"):
            shutil.copy(wheel, self.shop / "wheels")

    def type(self, commands: str) -> Play:
        """Run commands as the page has them, in a shell, in the folder of both."""
        process = subprocess.run(
            ["bash", "-ec", commands], cwd=self.folder, env=self._environ(), check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        with (self.folder / "plays.log").open("a") as log:
            log.write(process.stdout)
        return Play(process.returncode, process.stdout)

    def start(self, playbook: str, *words: str) -> subprocess.Popen[str]:
        """Begin a playbook, and do not wait for it."""
        return subprocess.Popen(
            ["ansible-playbook", "-i", "../../shop/ops", f"{playbook}.yml", *words],
            cwd=self.stack / "ansible", env=self._environ(), text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def play(self, playbook: str, *words: str) -> Play:
        """Run a playbook to its end."""
        return self.type(
            f"cd stack/ansible; ansible-playbook -i ../../shop/ops {playbook}.yml {' '.join(words)}"
        )

    def change(self, path: str, old: str, new: str) -> None:
        file = self.shop / path
        assert old in file.read_text(), f"{path} has no {old!r}"
        file.write_text(file.read_text().replace(old, new))

    def push_to(self, repository: Path) -> None:
        """What is committed, into a new repository."""
        self.git("clone", "--quiet", "--bare", ".", str(repository))

    def variables(self) -> dict[str, Any]:
        """What the team says of its site."""
        return yaml.safe_load((self.shop / "ops/group_vars/all.yml").read_text())

    def release_version(self, version: str) -> str:
        """A commit in which only the version is another one."""
        (line,) = [
            line
            for line in (self.shop / "backend/config/__init__.py").read_text().splitlines()
            if line.startswith("VERSION")
        ]
        self.change("backend/config/__init__.py", line, f'VERSION = "{version}"')
        return self.commit(f"Version {version}")

    def _copy_stack(self) -> None:
        copy_checkout(self.stack)
        Repository(self.stack).commit("The stack")
        (self.stack / ".venv").symlink_to(ROOT / ".venv")

    def _environ(self) -> dict[str, str]:
        return os.environ | {
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        }
