"""A wrong view, option or call is an error to a type checker, and a right one is none."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

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


def test_all_that_is_not_a_test_is_checked():
    """By `make types`: a folder that is left out is checked by nobody."""
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    scripts = [
        path
        for path in map(Path, listed)
        if path.parts[0] != "tests" and (ROOT / path).is_file() and is_python(ROOT / path)
    ]
    assert len(scripts) > 150
    assert [
        str(path)
        for path in scripts
        if not any(
            path == Path(each) or (path.suffix == ".py" and path.is_relative_to(each))
            for each in checked
        )
    ] == []


def is_python(path):
    with path.open("rb") as file:
        return path.suffix == ".py" or re.match(rb"#!.*\bpython", file.readline()) is not None


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
