"""A request of an anonymous client takes at most one line of the log.

Django logs a refusal that is an exception (an unknown host, a missing permission) with its
traceback. Anyone can repeat a handshake thousands of times, and the tracebacks would bury all other
lines.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.core.exceptions import SuspiciousOperation

__all__ = ["log_refusals_in_one_line", "plain"]

#: How many characters of a client's text are logged.
_LONGEST = 200
_LONGEST_LINE = 2 * _LONGEST


def plain(text: str) -> str:
    """``text`` for a log: without control characters, and of bounded length."""
    return repr(text[:_LONGEST])[1:-1] + ("..." if len(text) > _LONGEST else "")


def log_refusals_in_one_line(request_class: type) -> None:
    """Log refusals of requests of ``request_class`` without a traceback."""
    refusals = _Refusals(request_class)
    for name in ("django.request", *_security_loggers(SuspiciousOperation)):
        logger = logging.getLogger(name)
        for known in [known for known in logger.filters if isinstance(known, _Refusals)]:
            logger.removeFilter(known)
        logger.addFilter(refusals)


def _security_loggers(kind: type[SuspiciousOperation]) -> Iterator[str]:
    # django.core.handlers.exception names the logger by the exception's class; a logger's filters
    # do not see the records of its child loggers.
    yield f"django.security.{kind.__name__}"
    for subclass in kind.__subclasses__():
        yield from _security_loggers(subclass)


class _Refusals(logging.Filter):
    def __init__(self, request_class: type) -> None:
        super().__init__()
        self._request_class = request_class

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, self._request_class) and getattr(record, "status_code", 500) < 500:
            record.exc_info = None
            message = record.getMessage()
            if len(message) > _LONGEST_LINE:  # it quotes what the client has sent
                record.msg, record.args = message[:_LONGEST_LINE] + "...", ()
        return True
