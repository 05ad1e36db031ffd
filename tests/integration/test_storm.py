"""Everybody comes at once, and everybody is served: a smaller ``make storm``."""

import pytest

from support.stack import needs_our_worker
from support.storm import FIRST_WITHIN, report, storm

SOCKETS = 1500


@needs_our_worker
@pytest.mark.timeout(180)
def test_a_crowd_is_let_in_and_served(stack):
    stack.wait_until_whole()
    visitors = storm(stack.port, SOCKETS, open_for=2)
    assert {visitor.outcome for visitor in visitors} == {"open"}, report(visitors)
    assert max(visitor.first or FIRST_WITHIN for visitor in visitors) < FIRST_WITHIN, report(
        visitors
    )
