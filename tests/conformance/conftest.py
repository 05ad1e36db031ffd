from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.raw_client import RawClient
from support.server import OUR_WORKER, Server, serve

MAX_SIZE = 100_000


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Our worker with an echo that takes messages of up to MAX_SIZE bytes and compresses.

    It has served already: what the first request loads is not what a client costs.
    """
    settings = {
        "WEBSOCKET_MAX_MESSAGE_SIZE": MAX_SIZE,
        "WEBSOCKET_COMPRESSION_THRESHOLD": 0,
        "WEBSOCKET_SEND_BUFFER_SIZE": 100_000,
    }
    log = tmp_path_factory.mktemp("conformance") / "log"
    env = {"RAW_APP_SETTINGS": json.dumps(settings)}
    with serve("support.raw_app", OUR_WORKER, log, env) as server:
        with RawClient(server.address) as client:
            client.open("/echo")
        yield server


@pytest.fixture
def client(engine: Server) -> Iterator[RawClient]:
    with RawClient(engine.address) as client:
        yield client
