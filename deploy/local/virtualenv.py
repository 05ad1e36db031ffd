"""The checkout's virtual environment, filled from files that pin every package by its hash."""

import hashlib
import subprocess
import sys
from pathlib import Path

from terminal import Problem, say


class VirtualEnvironment:
    """``.venv`` of a checkout. It remembers what was installed, so that a second run needs neither
    pip nor a network."""

    def __init__(self, checkout: Path):
        self.checkout = checkout
        self.path = checkout / ".venv"
        self.bin = self.path / "bin"
        self.python = self.bin / "python"

    def ensure(self, *requirements: str) -> None:
        """Install the named files of the checkout. Raises ``Problem``."""
        if not self.python.exists():
            say(f"Making {self.path}")
            make: list[str | Path] = [sys.executable, "-m", "venv", "--clear", self.path]
            self._do("The virtual environment cannot be made.", make)
        wanted = {name: self._digest(name) for name in requirements}
        if any(self._stamp(name).read_text() != digest for name, digest in wanted.items()):
            self._install(wanted)

    def _install(self, wanted: dict[str, str]) -> None:
        say(f"Installing Python packages into .venv: {', '.join(wanted)}")
        files = [f"--requirement={self.checkout / name}" for name in wanted]
        # Python compiles what is imported, which is a small part of all packages.
        self._do(
            "The Python packages cannot be installed; is there a network?",
            [self.python, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input",
             "install", "--no-compile", "--require-hashes", *files],
        )  # fmt: skip
        for name, digest in wanted.items():
            self._stamp(name).write_text(digest)

    def _do(self, failure: str, command: list[str | Path]) -> None:
        if subprocess.run(command, check=False).returncode != 0:
            raise Problem(f"{failure} The reason is above.")

    def _digest(self, name: str) -> str:
        return hashlib.sha256((self.checkout / name).read_bytes()).hexdigest()

    def _stamp(self, name: str) -> Path:
        stamp = self.path / f"{name}.sha256"
        stamp.touch()
        return stamp
