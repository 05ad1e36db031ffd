"""The settings file, read by a process of its own."""

import json
import subprocess
import sys

import pytest

from support.server import ROOT

SHOW = (
    "import json; from project import settings; print(json.dumps("
    "{name: getattr(settings, name) for name in dir(settings) if name.isupper()}, default=str))"
)


def read(tmp_path, **environment):
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        env={"PYTHONPATH": str(ROOT / "app"), "STATE_DIR": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
    )


def settings(tmp_path, **environment):
    run = read(tmp_path, **environment)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_safe_with_nothing_set(tmp_path):
    found = settings(tmp_path)
    assert found["DEBUG"] is False
    assert found["SECRET_KEY"] == (tmp_path / "secret_key").read_text().strip()
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert found["DATABASES"]["default"]["NAME"] == str(tmp_path / "db.sqlite3")
    assert found["REDIS_URL"] == f"unix://{tmp_path}/run/redis.sock"


def test_environment_wins(tmp_path):
    found = settings(
        tmp_path,
        DJANGO_SECRET_KEY="given",
        DJANGO_ALLOWED_HOSTS="a.example,b.example",
        DATABASE_URL="postgres://user:word@db.example/site?sslmode=require",
        DATABASE_POOL_SIZE="3",
        WEBSOCKET_SERVER="wss://sockets.example",
        DJANGO_HTTPS="true",
    )
    assert found["SECRET_KEY"] == "given"
    assert not (tmp_path / "secret_key").exists()
    assert found["ALLOWED_HOSTS"] == ["a.example", "b.example"]
    database = found["DATABASES"]["default"]
    assert (database["HOST"], database["NAME"]) == ("db.example", "site")
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["pool"]["max_size"] == 3
    assert found["WEBSOCKET_SERVER"] == "wss://sockets.example"
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True


def test_secret_from_a_file(tmp_path):
    (tmp_path / "key").write_text("from the file")
    found = settings(tmp_path, DJANGO_SECRET_KEY_FILE=str(tmp_path / "key"))
    assert found["SECRET_KEY"] == "from the file"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DJANGO_DEBUG", "ture"),
        ("DJANGO_HTTPS", "2"),
        ("DJANGO_HSTS_SECONDS", "a year"),
        ("DATABASE_URL", "nonsense"),
    ],
)
def test_wrong_value_is_refused_by_name(tmp_path, variable, value):
    run = read(tmp_path, **{variable: value})
    assert run.returncode != 0
    assert f'Environment variable "{variable}" invalid' in run.stderr
