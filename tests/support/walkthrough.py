"""A how-to whose blocks a test types: what goes into a file, what goes into a shell."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .server import PATIENCE

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.M | re.S)
#: The first line of a block that is a file: "# mysite/urls.py, at the end", "{# chat.html #}".
_FILE = re.compile(r"(?:#|\{#) (\S+/\S+\.\w+)(, at the end)?(?: #\})?\n")


@dataclass(frozen=True)
class Block:
    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        """What is typed: neither empty lines nor comments that fill one."""
        return [line for line in self.text.splitlines() if not re.match(r"\s*(#|\{#|$)", line)]


def read_blocks(page: Path) -> dict[str, list[Block]]:
    """The blocks of each section by its heading."""
    headings = re.split(r"^## (.+)\n", page.read_text(), flags=re.M)[1:]
    return {
        heading: [Block(kind, textwrap.dedent(text)) for _, kind, text in _BLOCK.findall(section)]
        for heading, section in zip(headings[::2], headings[1::2], strict=True)
    }


class Typist:
    """Types into files below ``folder``, and into shells in it with the virtual environment on.

    ``replace`` has pairs (as written, what it is for this test), such as a port.
    """

    def __init__(self, folder: Path, environment: Path, replace: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment
        self._replace = replace

    def put(self, block: Block) -> None:
        """Write or extend the file that the block's first line names."""
        found = _FILE.match(block.text)
        assert found, f"expected a file's name in the first line:\n{block.text}"
        path = self.folder / found[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        assert path.exists() == bool(found[2]), f"{path} exists, or does not"
        with path.open("a") as file:
            file.write(self._adapted(block.text))

    def change(self, name: str, old: str, block: Block) -> None:
        """Replace the lines ``old`` of a file by the block's, indented as they are."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} in {text}"
        indent = re.match(" *", old)[0]
        path.write_text(text.replace(old, textwrap.indent(block.text, indent)))

    def run(self, block: Block) -> str:
        """Run the commands to their end. Returns what they print."""
        done = subprocess.run(
            ["bash", "-ec", self._script(block.text)], cwd=self.folder, env=_environ(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=3 * PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.text}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def running(self, block: Block, log: Path) -> Iterator[None]:
        """Run a command until Ctrl-C, which ends it without a traceback."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-ec", self._script(f"exec {block.text}")],
                cwd=self.folder, env=_environ(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        assert "Traceback" not in log.read_text(), log.read_text()

    def _script(self, text: str) -> str:
        activate = self._environment / "bin/activate"
        first = f". {shlex.quote(str(activate))}\n" if activate.exists() else ""
        return first + self._adapted(text)

    def _adapted(self, text: str) -> str:
        for old, new in self._replace.items():
            text = text.replace(old, new)
        return text


def _environ() -> dict[str, str]:
    """Nothing of the environment that the tests run in."""
    ours = {"VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("PYTHON")
    }
    path = [p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "activate").exists()]
    # A terminal shows each line at once; so does a file then.
    return kept | {"PATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}
