"""The lines that ``runserver`` logs for requests, as Django's own does."""

from __future__ import annotations

import logging
import time
from typing import Any

from django_websocket.server.oneport import ServerLog

__all__ = ["DevelopmentLog"]


class DevelopmentLog(ServerLog):
    """Logs to ``django.server``: each page after its response, each socket when it ends."""

    access_log_enabled = True

    def __init__(self) -> None:
        super().__init__(logging.getLogger("django.server"), {})

    def access(self, response: Any, request: Any, environ: dict[str, Any], took: Any) -> None:
        """Log one line; ``took`` is a timedelta."""
        status = int(response.status[:3]) if response.status[:3].isdigit() else 0
        line = "{REQUEST_METHOD} {RAW_URI} {SERVER_PROTOCOL}".format_map(environ)
        end = ""
        if "websocket.close_code" in environ:
            code, seconds = environ["websocket.close_code"], took.total_seconds()
            end = f" (closed with {code} after {seconds:.1f} s)"
        self.logger.log(
            _level(status),
            '"%s" %s %s%s',
            line,
            response.status[:3],
            response.sent,
            end,
            extra={"status_code": status, "server_time": time.strftime("%d/%b/%Y %H:%M:%S")},
        )


def _level(status: int) -> int:
    if status >= 500:
        return logging.ERROR
    return logging.WARNING if status >= 400 else logging.INFO
