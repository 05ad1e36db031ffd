"""What everybody needs comes from one door, and nothing is loaded before it is asked for."""

import subprocess
import sys

import pytest

import django_websocket
from support.server import ROOT

NAMES = """
    BrokerError ChannelError ConnectionClosed EventView InvalidJSON Message Request
    TooManyChannels UnsupportedByBroker UnsupportedByWorker WebSocket WebSocketException clear
    clear_on_commit disconnect_user edit edit_on_commit event get_wsgi_websocket_application
    parse_request presence presence_channel publish publish_on_commit publish_to_user
    publish_to_user_on_commit published recheck_permissions retract retract_on_commit
    reverse_websocket
    subscribe user_channel websocket websocket_events websocket_loop
"""


def run(code):
    """Run ``code`` in a new interpreter, which knows the library alone."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "app")},
        capture_output=True,
        text=True,
    )


def test_these_are_the_names():
    assert sorted(django_websocket.__all__) == NAMES.split()
    assert set(django_websocket.__all__) <= set(dir(django_websocket))


@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_is_what_its_module_has(name):
    value = getattr(django_websocket, name)
    assert value.__name__ == name
    assert value is getattr(sys.modules[value.__module__], name)


def test_a_wrong_name_is_said_as_python_does():
    with pytest.raises(AttributeError, match="'django_websocket' has no attribute 'publsh'"):
        _ = django_websocket.publsh
    assert "cannot import name 'publsh'" in run("from django_websocket import publsh").stderr


@pytest.mark.parametrize("module", ["django_websocket", "django_websocket.worker"])
def test_what_gunicorn_imports_before_patching_loads_no_django_and_no_redis(module):
    done = run(
        f"import sys, {module}\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('django', 'redis')])"
    )
    assert done.stdout == "[]\n", done.stderr


def test_every_name_at_once():
    done = run(
        "from django.conf import settings; settings.configure()\n"
        "from django_websocket import *\nprint(websocket.__name__, publish.__name__)"
    )
    assert done.stdout == "websocket publish\n", done.stderr


def test_what_answers_events_is_loaded_only_where_a_view_does():
    done = run(
        "import sys\n"
        "from django.conf import settings; settings.configure()\n"
        "from django_websocket import publish, user_channel, websocket\n"
        "import django_websocket.wsgi\n"
        "print([name for name in sys.modules if name.startswith('django_websocket.events')])"
    )
    assert done.stdout == "[]\n", done.stderr
