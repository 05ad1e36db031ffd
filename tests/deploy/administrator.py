"""Somebody who types the commands of the how-tos on a host, as root, one section after another."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from controller import ROOT, copy_checkout
from repository import Repository

from support.walkthrough import Block, read_blocks

#: Where the pages fetch the stack from.
ORIGIN = "https://github.com/django-gevent-websocket/django-gevent-websocket.git"
#: Where this host has it.
BUNDLE = "/opt/stack.bundle"
#: What containers may have of the machine's open files.
OPEN_FILES = {
    "deploy/host/site.env": ("OPEN_FILES=65536", "OPEN_FILES=16384"),
    "deploy/supervisor/conf.d/stack.conf": ("--nofile=65536", "--nofile=16384"),
}


class Administrator(Repository):
    """Of ``host``, whose site is called ``name``; ``folder`` gets the repository that it is in."""

    def __init__(self, folder: Path, host: Any, name: str) -> None:
        self.host = host
        self._name = name
        self._folder = folder
        super().__init__(folder / "checkout")
        copy_checkout(self.files)
        for path, (old, new) in OPEN_FILES.items():
            text = (self.files / path).read_text()
            assert old in text, path
            self.write(path, text.replace(old, new))
        host.show_the_way_out()
        self.publish("The first release")

    def publish(self, message: str) -> str:
        """The commit, which can be fetched now."""
        commit = self.commit(message)
        bundle = self._folder / "stack.bundle"
        self.git("bundle", "create", "--quiet", str(bundle), "HEAD", "--branches")
        self.host.put(bundle, BUNDLE)
        return commit

    def type(self, page: str, *headings: str) -> str:
        """Paste the blocks of the sections whose headings begin so. Returns what they print."""
        sections = read_blocks(ROOT / "docs/how-to" / f"{page}.md")
        chosen = [_section(sections, heading) for heading in headings]
        lines = [block.text for blocks in chosen for block in blocks if block.language == "sh"]
        assert lines, headings
        first = f"umask 022\nname={self._name}\nproject={ORIGIN}\n"
        script = (first + "".join(lines)).replace(ORIGIN, BUNDLE)
        try:
            return self.host.ssh(f"bash -ec {shlex.quote(script)} 2>&1", timeout=600)
        except subprocess.CalledProcessError as error:
            raise AssertionError(f"{page}, {headings}: {error.stdout[-4000:]}") from None


def _section(sections: dict[str, list[Block]], heading: str) -> list[Block]:
    (found,) = [name for name in sections if re.match(heading, name)]
    return sections[found]
