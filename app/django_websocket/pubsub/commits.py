"""Calls that wait for the commit of a transaction."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction

from django_websocket.errors import BrokerError

__all__ = ["on_commit", "run_as_if_committed"]

logger = logging.getLogger("django_websocket")


#: The attribute of a callback of this library that says whether it has been called.
_DONE = "django_websocket_done"


def on_commit(call: Callable[[], object], using: str | None) -> None:
    """Call ``call``, once, when the transaction on ``using`` is committed.

    An error is logged, not raised.
    """

    @functools.wraps(call)
    def once() -> None:
        if not vars(once)[_DONE]:
            vars(once)[_DONE] = True
            call()

    vars(once)[_DONE] = False
    transaction.on_commit(once, using=using, robust=True)


def run_as_if_committed() -> None:
    """Run this library's callbacks for the commit of a ``TestCase``, which never comes.

    It skips callbacks of a block that is still open, and those of others: they are for
    ``captureOnCommitCallbacks()``.
    """
    connection: Any
    for connection in connections.all(initialized_only=True):
        # Django names its tests' blocks by this attribute only (_from_testcase).
        test_blocks = sum(block._from_testcase for block in connection.atomic_blocks)
        if not test_blocks:
            continue
        # The outermost block is the transaction itself; each other has a savepoint, or None.
        still_open = set(connection.savepoint_ids[test_blocks - 1 :])
        for savepoints, call, _ in list(connection.run_on_commit):
            if _DONE in getattr(call, "__dict__", ()) and not savepoints & still_open:
                _run(call)


def _run(call: Callable[[], object]) -> None:
    try:
        call()
    except BrokerError as error:
        logger.error("Could not publish after a transaction was committed: %s", error)
