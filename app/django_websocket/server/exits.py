"""Which exception ends a view's greenlet, and which the process.

If a SystemExit or a KeyboardInterrupt ends a greenlet, gevent raises it in the main greenlet. That
would end the worker with all its sockets; if its status is 3, gunicorn's master stops as well.
"""

from __future__ import annotations

import logging
from typing import Any

from gevent import GreenletExit

__all__ = ["contain", "ends_the_greenlet", "exiting"]

logger = logging.getLogger("django_websocket")

#: Whether gunicorn is ending this process at once: the next SystemExit is its own.
exiting = False


def ends_the_greenlet(error: BaseException) -> bool:
    """Whether the exception is meant to end the greenlet, and is not an error in it."""
    return isinstance(error, GreenletExit) or (exiting and isinstance(error, SystemExit))


def contain(hub: Any) -> None:
    """Let an exception that ends an application's greenlet end that greenlet alone."""
    handle_error = hub.handle_error

    def contained(context: Any, kind: type[BaseException], value: Any, traceback: Any) -> None:
        if context is None or exiting or not issubclass(kind, hub.SYSTEM_ERROR):
            handle_error(context, kind, value, traceback)
        else:
            logger.error("%r ended by %r", context, value, exc_info=(kind, value, traceback))

    hub.handle_error = contained
