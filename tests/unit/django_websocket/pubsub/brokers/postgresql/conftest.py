import os
import subprocess
import sys

import psycopg
import pytest

from django_websocket.pubsub.brokers.postgresql.broker import PostgreSQLBroker
from support.postgresql import running_postgresql
from support.server import ROOT


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL with the tables of the project, the broker's among them."""
    with running_postgresql() as server:
        server.broker = server.url.replace("postgres://", "postgresql://")
        environment = os.environ | {
            "DATABASE_URL": server.url,
            "DJANGO_SETTINGS_MODULE": "support.postgresql_settings",
            "PYTHONPATH": str(ROOT / "tests"),
        }
        subprocess.run(
            [sys.executable, ROOT / "app" / "manage.py", "migrate", "-v0"],
            env=environment, check=True,
        )  # fmt: skip
        yield server


@pytest.fixture
def broker(server):
    broker = PostgreSQLBroker(server.broker)
    yield broker
    broker.close()


@pytest.fixture
def sql(server):
    """Ask the server as somebody else."""
    with psycopg.connect(server.broker, autocommit=True) as connection:

        def run(*query):
            cursor = connection.execute(*query)
            return cursor.fetchall() if cursor.description else None

        yield run
