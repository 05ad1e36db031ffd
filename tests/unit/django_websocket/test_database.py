"""A socket that waits holds no database connection; on a real PostgreSQL."""

import inspect
import json

import psycopg
import pytest
from django.db.backends.postgresql.base import DatabaseWrapper

from support.postgresql import postgresql
from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for
from support.site import prepare

SOCKETS = 200
POOL = 4


@pytest.fixture(scope="module")
def database():
    with postgresql() as url:
        env = {"SITE_DATABASE": url}
        (cookie,) = prepare(env, users=1)
        yield url, env, cookie


def states(url):
    """What the server's other clients are doing."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT state FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return [state for (state,) in rows]


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
@pytest.mark.parametrize("pool", [False, True], ids=["no pool", "pool"])
def test_idle_authenticated_sockets_hold_no_connection(database, worker, pool, tmp_path):
    url, env, cookie = database
    if pool:
        env = env | {"SITE_POOL": str(POOL)}
    with serve("support.site.wsgi:websocket", worker, tmp_path / "log", env) as server:
        for _ in range(SOCKETS):
            client = server.connect("/orm/", cookie=cookie)
            assert client.recv() == "user0"  # the view has just used the ORM, and now it waits
        allowed = POOL if pool else 0
        wait_for(lambda: len(states(url)) <= allowed, f"{allowed} connections")
        assert set(states(url)) <= {"idle"}


def test_atomic_block_keeps_its_connection_while_it_waits(database, tmp_path):
    url, env, cookie = database
    with serve("support.site.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
        client = server.connect("/atomic/", cookie=cookie)
        assert client.recv() == "waiting"
        assert states(url) == ["idle in transaction"]
        client.send("go on")
        assert client.recv() == "the block has kept what it wrote"


WORKERS = pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
POOLS = pytest.mark.parametrize("pool", [False, True], ids=["no pool", "pool"])


@POOLS
@WORKERS
def test_a_view_finds_what_middleware_has_left(database, worker, pool, tmp_path):
    _, env, cookie = database
    env = env | ({"SITE_POOL": "1"} if pool else {})
    places = ("contextvar", "connection", "threading", "asgiref", "server")
    with serve("support.site.wsgi:websocket", worker, tmp_path / "log", env) as server:
        for name in ("acme", None, "umbrella", None):
            header = {} if name is None else {"X-Tenant": name}
            client = server.connect("/world/", header=header, cookie=cookie)
            for _ in range(3):  # the connection is given back in between, and taken again
                found = json.loads(client.recv())
                assert {place: found[place] or None for place in places} == dict.fromkeys(
                    places, name
                )
                server.connect("/world/").recv()  # takes the pool's only connection meanwhile
                client.send("again")


def tried(client, statement):
    client.send(statement)
    return json.loads(client.recv())


@pytest.mark.parametrize("kind", ["greenlet", "raw", "thread", "late", "killed"])
@POOLS
def test_what_a_view_spawns_gives_its_connections_back(database, pool, kind, tmp_path):
    url, env, _ = database
    env = env | ({"SITE_POOL": "2"} if pool else {})
    with serve("support.site.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
        client = server.connect("/spawns/")
        for _ in range(2):
            client.send(f"{2 if kind == 'killed' else 20} {kind}")
            assert client.recv() == "done"
        client.close()
        other = server.connect("/sql/")
        for _ in range(3):
            assert tried(other, "SELECT 1") == [1]
        wait_for(lambda: len(states(url)) <= (2 if pool else 0), "no connection to stay open")


def test_the_private_name_that_resetting_needs_is_there():
    """Django's pool calls it for each new connection."""
    pool = inspect.getsource(DatabaseWrapper.pool.fget)
    assert "configure=self._configure_connection" in pool
