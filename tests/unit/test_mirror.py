"""Where a module's tests are found: ``tests/unit`` has the same folders and names as ``app``."""

from support.server import ROOT

LIBRARY = ROOT / "app" / "django_websocket"
TESTS = ROOT / "tests" / "unit" / "django_websocket"

#: Tested through their callers only, by a file of another name. Take a name out, add none.
THROUGH_THEIR_CALLERS = [
    "application/cycle.py",
    "application/life.py",
    "application/requests.py",
    "apps.py",
    "compat/stock.py",
    "errors.py",
    "metrics.py",
    "pubsub/brokers/redis/cluster.py",
    "pubsub/brokers/redis/listener.py",
    "pubsub/brokers/redis/replies.py",
    "pubsub/brokers/redis/scripts.py",
    "pubsub/brokers/redis/single.py",
    "pubsub/brokers/redis/subscriber.py",
    "pubsub/channel.py",
    "pubsub/chores.py",
    "pubsub/process.py",
    "server/accesslog.py",
    "templatetags/websockets.py",
]


def test_each_module_of_the_library_has_a_test_file_of_its_name():
    missing = []
    for module in LIBRARY.rglob("*.py"):
        path = module.relative_to(LIBRARY)
        if path.name == "__init__.py" or path.parts[0] == "connection":
            continue
        if not (TESTS / path.with_name(f"test_{path.name}")).exists():
            missing.append(str(path))
    assert set(missing) <= set(THROUGH_THEIR_CALLERS), "expected tests/unit/<path>/test_<name>.py"
