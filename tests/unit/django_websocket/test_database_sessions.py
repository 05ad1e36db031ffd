"""What one socket leaves in its session at the server stays its own; on a real PostgreSQL."""

import json

import pytest

from support.postgresql import postgresql
from support.server import OUR_WORKER, STOCK_WORKER, serve
from support.site import prepare


@pytest.fixture(scope="module")
def database():
    with postgresql() as url:
        env = {"SITE_DATABASE": url}
        prepare(env, users=0)
        yield env


def tried(client, statement):
    client.send(statement)
    return json.loads(client.recv())


#: What changes the session, and what shows it.
SESSION = {
    # A setting of no extension's that was reset is the empty text.
    "SET site.leak TO 'x'": "SELECT coalesce(current_setting('site.leak', true), '')",
    "SET search_path TO leak": "SHOW search_path",
    "SET ROLE pg_read_all_data": "SELECT current_user",
    "SET TIME ZONE 'Asia/Tokyo'": "SHOW timezone",
    "SET default_transaction_isolation TO 'serializable'": "SHOW default_transaction_isolation",
    "SELECT pg_advisory_lock(4711)": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
    "CREATE TEMPORARY TABLE leak (x int)": "SELECT to_regclass('pg_temp.leak')",
    "LISTEN leak": "SELECT count(*) FROM pg_listening_channels()",
    "PREPARE leak AS SELECT 1": "SELECT count(*) FROM pg_prepared_statements",
    "DECLARE leak CURSOR WITH HOLD FOR SELECT 1": "SELECT count(*) FROM pg_cursors",
}


@pytest.fixture(scope="module", params=[OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def pooled(request, database, tmp_path_factory):
    """A worker whose sockets share the one connection of its pool."""
    log = tmp_path_factory.mktemp("pooled") / "log"
    with serve(
        "support.site.wsgi:websocket", request.param, log, database | {"SITE_POOL": "1"}
    ) as server:
        yield server


@pytest.mark.parametrize("by", ["a view", "middleware", "a plain request"])
@pytest.mark.parametrize(("change", "show"), SESSION.items())
def test_no_state_of_a_session_reaches_another(pooled, change, show, by):
    client = pooled.connect("/sql/")
    before = tried(client, show)
    if by == "a view":
        tried(pooled.connect("/sql/"), change)
    elif by == "middleware":
        pooled.connect("/echo/", header={"X-SQL": change})
    else:
        pooled.get("/echo/", **{"X-SQL": change})
    assert tried(client, show) == before


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def test_a_socket_asks_no_session_that_could_not_be_set_up(database, worker, tmp_path):
    """Here the server accepts the connection and then refuses the role."""
    role = f"late_{worker.rpartition('.')[2].lower()}"
    statement = "SELECT current_user"
    with (
        serve("support.site.wsgi:websocket", OUR_WORKER, tmp_path / "other", database) as other,
        serve(
            "support.site.wsgi:websocket", worker, tmp_path / "log", database | {"SITE_ROLE": role}
        ) as server,
    ):
        client = server.connect("/sql/")
        for _ in range(2):
            assert tried(client, statement) == [f'role "{role}" does not exist']
        tried(other.connect("/sql/"), f"CREATE ROLE {role}")
        assert tried(client, statement) == [role]
