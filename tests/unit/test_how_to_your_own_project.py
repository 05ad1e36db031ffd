"""docs/how-to/your-own-project.md shows the files of the project that it is tested with."""

import re

import pytest

from support.server import ROOT
from support.shop import SHOP
from support.walkthrough import read_blocks

BLOCKS = [
    block
    for section in read_blocks(ROOT / "docs/how-to/your-own-project.md").values()
    for block in section
    if re.match(r"# \S+/\S+\.\w+", block.text)
]


def test_it_shows_files():
    assert [block.language for block in BLOCKS].count("yaml") == 2
    assert [block.language for block in BLOCKS].count("python") == 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.text.splitlines()[0])
def test_what_it_shows_is_in_the_project(block):
    first, rest = block.text.split("\n", 1)
    text = (SHOP / re.match(r"# ([^\s:]+)", first)[1]).read_text()
    assert (block.text == text) if block.language == "yaml" else (rest in text)
