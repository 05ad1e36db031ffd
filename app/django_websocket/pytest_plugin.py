"""A pytest fixture of a live server with sockets. It needs pytest-django."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .test import LiveServer

__all__ = ["websocket_live_server"]


@pytest.fixture
def websocket_live_server(transactional_db: None) -> Iterator[LiveServer]:
    """Pages, static files and sockets of the test's database on one port; its URL is ``.url``."""
    from .test import LiveServer  # Django's settings are configured by now

    server = LiveServer()
    yield server
    server.stop()
