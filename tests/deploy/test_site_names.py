"""Where a site is, who runs it and what it runs stands in one file of the stack each."""

import re
import subprocess

import pytest
from controller import ROOT

#: What the READMEs explain is generated, or for people to read.
PROSE = (".md",)
#: What people copy to a host by hand has the names of the pages that say so.
#: test_rendered.py compares it with what Ansible writes.
BY_HAND = ("deploy/host/", "deploy/supervisor/conf.d/", "deploy/systemd/stack-")
#: A name, as it would be written into a file, and the one file that may have it.
DEFAULTS = "ansible/roles/stack/defaults/main.yml"
PROJECT = "deploy/project.env"
NAMES = {
    # A unit knows no variable but %i: where it finds site.env, which says the rest.
    "the folder of the code": (r"/srv\b(?!/%i\b)", DEFAULTS),
    "the folder of the data": (
        r"/var/lib/(?!apt\b|dpkg\b|prometheus\b|redis\b|postgresql\b|systemd\b)",
        DEFAULTS,
    ),
    "the folder of the settings": (r"/etc/(stack\b|\{\{ ?stack_site)", DEFAULTS),
    "the site's user": (
        r"(user|owner|group|User|Group|REDIS_USER|STACK_USER)[\"']?[:=] ?[\"']?stack\b",
        None,
    ),
    "the unit": (r"\bstack\.service\b", None),
    "the module of the pages and sockets": (r"project\.wsgi\b", PROJECT),
    "the module of the settings": (r"project\.settings\b", PROJECT),
}


def files_with(pattern: str) -> dict[str, list[str]]:
    """The lines of the stack that match, comments left out, by file."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "deploy", "ansible"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = {}
    for name in listing.stdout.splitlines():
        people_s = name.endswith(PROSE) or name.startswith(BY_HAND)
        if people_s or not (ROOT / name).is_file():
            continue
        lines = [
            line
            for line in (ROOT / name).read_text(errors="replace").splitlines()
            if re.search(pattern, line) and not re.match(r"\s*[#;]", line)
        ]
        if lines:
            found[name] = lines
    return found


@pytest.mark.parametrize("what", NAMES)
def test_a_name_stands_in_one_file(what):
    pattern, owner = NAMES[what]
    found = files_with(pattern)
    assert set(found) == ({owner} if owner else set()), found
