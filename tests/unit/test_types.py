"""A wrong view, option or call is an error to a type checker, and a right one is none."""

import re
import subprocess
import sys

from support.server import ROOT

SNIPPETS = ROOT / "tests/support/typed"


def test_a_type_checker_finds_the_wrong_lines_and_no_others():
    expected = {
        (path.name, number)
        for path in SNIPPETS.glob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.endswith("# error")
    }
    output = mypy(*sorted(path.name for path in SNIPPETS.glob("*.py")))
    found = re.findall(r"^(\w+\.py):(\d+): error", output, re.M)
    assert {(name, int(number)) for name, number in found} == expected != set(), output


def mypy(*arguments):
    """What mypy, as strict as `make types`, prints. It keeps its cache where that does."""
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml"]
    cache = ["--cache-dir", ROOT / ".mypy_cache"]
    return subprocess.run(
        [*command, *cache, *arguments],
        cwd=SNIPPETS,
        env={"MYPYPATH": str(ROOT / "app")},
        capture_output=True,
        text=True,
    ).stdout
