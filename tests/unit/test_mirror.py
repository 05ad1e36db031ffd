"""Where a module's tests are found: ``tests/unit`` has the same folders and names as ``app``."""

import re

from support.server import ROOT

LIBRARY = ROOT / "app" / "django_websocket"
TESTS = ROOT / "tests" / "unit" / "django_websocket"

#: Modules without a test file of their name, and why. Take one out, add none.
EXCEPTIONS = {
    "application/cycle.py": "Django's cycle as a whole, on a live server: test_wsgi.py",
    "application/life.py": "a step of that cycle, which makes what it needs: test_wsgi.py",
    "apps.py": "connects signals, whose effect is auth/test_sessions.py's; checks: test_checks.py",
    "compat/stock.py": "needs the stock worker, beside ours: test_wsgi.py, compat/test_classic.py",
    "management/brokenfiles.py": "a part of the command, tested as it runs: test_runserver.py",
    "management/devlog.py": "what the command prints: test_runserver.py",
    "management/patched.py": "the command's second process: test_runserver.py",
    "metrics.py": "what each count is of, and when it moves: test_prometheus.py",
    "pubsub/brokers/redis/cluster.py": "the broker at a real cluster: test_broker.py",
    "pubsub/brokers/redis/listener.py": "the broker when Redis goes: test_broker.py, test_chaos.py",
    "server/drain.py": "the end of a worker and of a development server: test_worker.py",
    "pubsub/brokers/redis/single.py": "the broker's calls and their deadlines: test_commands.py",
}


def missing():
    for module in LIBRARY.rglob("*.py"):
        path = module.relative_to(LIBRARY)
        test = TESTS / path.with_name(f"test_{path.name}")
        is_mirrored = path.name != "__init__.py" and path.parent.name != "migrations"
        if is_mirrored and not test.exists():
            yield str(path)


def test_each_module_of_the_library_has_a_test_file_of_its_name():
    assert set(missing()) <= set(EXCEPTIONS), "expected tests/unit/<path>/test_<name>.py"


def test_no_exception_has_outlived_its_reason():
    assert set(EXCEPTIONS) <= set(missing())
    for reason in EXCEPTIONS.values():
        for name in re.findall(r"test_\w+\.py", reason):
            assert list(TESTS.rglob(name)), name
