"""What the documentation tells people to write is what the tools' tests run with."""

import re

import pytest

from support.server import ROOT

BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/how-to/trace-sockets.md").read_text(), re.DOTALL
)


def lines(code):
    """The lines of code, without comments for linters."""
    return {re.sub(r"  # (noqa|fmt).*", "", line) for line in code.splitlines()}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.partition("def ")[2][:15])
def test_a_recipe_is_tested(block):
    settings = ROOT.glob("tests/support/company/with_*.py")
    assert any(lines(block) <= lines(path.read_text()) for path in settings)
