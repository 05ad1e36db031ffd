"""The short ones of what ``make attack`` tries, and the table of all of them."""

import os

import pytest

from attack import ATTACKS, table
from support.server import ROOT


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.short], ids=lambda it: it.name)
def test_it_does_not_get_through(stack, attack):
    stack.wait_until_whole()
    attack.run(stack)


def test_the_table_lists_all_of_them():
    path = ROOT / "SECURITY.md"
    before, rest = path.read_text().split("<!-- attacks -->\n")
    found, after = rest.split("<!-- /attacks -->")
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(f"{before}<!-- attacks -->\n{table()}<!-- /attacks -->{after}")
        return
    assert found == table(), "SECURITY.md is out of date: run this with UPDATE_DOCS=1"
