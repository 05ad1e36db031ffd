"""docs/explanation/life-of-a-message.md names files and functions: each is where it says."""

import ast
import re

import pytest

from support.server import ROOT

PAGE = (ROOT / "docs/explanation/life-of-a-message.md").read_text()
LIBRARY = ROOT / "app/django_websocket"

FILE = re.compile(r"`((?:\w+/)*\w+\.py)`")
NAME = re.compile(r"`([A-Za-z_]+(?:\.[A-Za-z_]+)?)`")


def steps():
    """(paths, names) of every step."""
    for step in re.split(r"\n(?=\d+\. |- |\n)", PAGE):
        paths = FILE.findall(step)
        names = [name for name in NAME.findall(step) if not (name.isupper() or name in paths)]
        if paths:
            yield paths, names


def defined(path):
    """``function``, ``Class`` and ``Class.method`` of a file."""
    found = set()
    for node in ast.parse((LIBRARY / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef)
            }
    return found


@pytest.mark.parametrize(("paths", "names"), list(steps()))
def test_what_a_step_names_exists(paths, names):
    here = set().union(*(defined(path) for path in paths))
    assert set(names) <= here


def test_the_page_is_about_all_of_the_way():
    assert sum(len(names) for _, names in steps()) > 25
