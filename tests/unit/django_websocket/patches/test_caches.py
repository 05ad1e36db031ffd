"""A socket that has used Django's cache and waits holds no connection; on a real Redis."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.neighbours import environment, prepare
from support.redis import Redis
from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for

SOCKETS = 50
FEW = 8
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


@pytest.fixture
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


def use(client):
    client.send("word")
    return json.loads(client.recv())


def all_use(server, cookie):
    """So many sockets at once, each with a handshake, that use the cache and then wait."""
    with ThreadPoolExecutor(SOCKETS) as threads:
        clients = list(
            threads.map(lambda _: server.connect("/caching/", cookie=cookie), range(SOCKETS))
        )
        for _ in range(2):
            answers = list(threads.map(use, clients))
            assert answers == [[True, True, True, "user0"]] * SOCKETS, server.log
    return clients


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_waiting_sockets_hold_no_connection_to_redis(redis, worker, engine, tmp_path):
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis.url}
    env = environment(
        tmp_path,
        MIDDLEWARE=MIDDLEWARE,
        CACHES={"default": cache},
        SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
    )
    (cookie,) = prepare(env, users=1)
    log = tmp_path / "log"
    with serve("support.neighbours.wsgi:websocket", worker, log, env) as server:
        clients = all_use(server, cookie)
        assert redis.connections() <= FEW
        assert len(clients) == SOCKETS


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def test_a_client_that_may_not_be_shared_is_closed_when_its_socket_waits(worker, tmp_path):
    cache = {"BACKEND": "support.neighbours.cache.Counted", "LOCATION": "counted"}
    env = environment(tmp_path, MIDDLEWARE=MIDDLEWARE, CACHES={"default": cache})
    (cookie,) = prepare(env, users=1)
    log = tmp_path / "log"
    with serve("support.neighbours.wsgi:websocket", worker, log, env) as server:
        clients = all_use(server, cookie)
        wait_for(lambda: server.connect("/open-clients/").recv() == "0", "no open client")
        assert len(clients) == SOCKETS
