"""What an attacker would try, on a stack of its own, on loopback: ``make attack``.

Each attack is a function that fails if it gets through. The table in SECURITY.md is made of what
they say of themselves; tests/integration/test_attack.py runs the short ones and compares the table.
"""

from . import floods, messages, pages
from .model import ATTACKS, Attack, table

__all__ = ["ATTACKS", "Attack", "floods", "messages", "pages", "table"]
