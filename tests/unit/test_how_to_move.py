"""docs/how-to/move-from-*.md: the code that they show is what the tests run."""

import re
from textwrap import indent

import pytest

from support.ported import Application
from support.server import ROOT

PAGES = sorted(ROOT.glob("docs/how-to/move-from-*.md"))
#: The line above a block of code, and the block.
CODE = re.compile(r"^([^\n]*)\n```(?:python|js|html)\n(.*?)```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_all_code_is_of_the_files_that_run(page):
    found = CODE.findall(page.read_text())
    assert len(found) > 5
    for above, code in found:
        name = re.fullmatch(r"<!-- (\S+) -->", above)
        assert name, f"expected a file's name in a comment, found {above!r} above:\n{code}"
        text = (ROOT / name[1]).read_text()
        shown = any(indent(code, " " * depth) in text for depth in range(0, 8, 2))
        assert shown, f"{name[1]} has no such lines:\n{code}"


@pytest.mark.parametrize(
    ("name", "command", "count"),
    [
        ("channels_before", ["manage.py", "test"], 3),
        ("channels_after", ["manage.py", "test"], 5),
        ("socketio_before", ["tests.py"], 2),
        ("socketio_after", ["manage.py", "test"], 2),
        ("gevent_websocket_after", ["manage.py", "test"], 2),
        ("websocket_redis_after", ["manage.py", "test"], 1),
    ],
)
def test_the_tests_of_an_application_pass(name, command, count, tmp_path):
    assert f"Ran {count} test" in Application(name, tmp_path).run("-W", "error", *command)
