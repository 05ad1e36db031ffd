import os
import subprocess
import sys

from support.server import ROOT


def manage(server, *arguments, **environment):
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "support.postgresql_settings",
        "PYTHONPATH": str(ROOT / "tests"),
        **environment,
    }
    return subprocess.run(
        [sys.executable, ROOT / "app" / "manage.py", *arguments],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip


def test_the_migration_can_be_taken_back_and_made_again(server, sql):
    tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'django\\_websocket\\_%'"
    functions = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'django\\_websocket\\_%'"
    before = sql(tables), sql(functions)
    app = "django_websocket_postgresql"
    assert manage(server, "migrate", app, "zero", DATABASE_URL=server.url).returncode == 0
    assert (sql(tables), sql(functions)) == ([(0,)], [(0,)])
    assert manage(server, "migrate", app, DATABASE_URL=server.url).returncode == 0
    assert (sql(tables), sql(functions)) == before


def test_manage_check_says_that_the_app_is_missing(server):
    script = (
        "from support.postgresql_settings import *\n"
        "INSTALLED_APPS.remove('django_websocket.pubsub.brokers.postgresql')"
    )
    check = (
        f"import sys, types; m = types.ModuleType('bare'); exec({script!r}, m.__dict__); "
        "sys.modules['bare'] = m; import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'bare'; "
        "import django; django.setup(); from django.core.management import call_command; "
        "call_command('check')"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        env=os.environ
        | {"DATABASE_URL": server.url, "PYTHONPATH": f"{ROOT / 'app'}:{ROOT / 'tests'}"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "django_websocket.E006" in done.stderr
    assert "run manage.py migrate" in done.stderr
