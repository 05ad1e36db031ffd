"""The library installs from the checkout and works without the rest of it."""

import os
import shutil
import subprocess
import sys

from support.server import ROOT

SITE = """
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django_websocket"],
    WEBSOCKET_URLCONF="sockets",
    ROOT_URLCONF="sockets",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
import django, sys, types
from django.urls import path
sockets = sys.modules["sockets"] = types.ModuleType("sockets")
from django_websocket.decorators import websocket
sockets.urlpatterns = [path("echo/", websocket(print), name="echo")]
django.setup()
from django.core.management import call_command
from django.template import engines
call_command("check")
template = engines["django"].from_string("{% load websockets %}{% websocket_url 'echo' %}")
print(template.render({}))
from django_websocket.wsgi import get_wsgi_websocket_application
get_wsgi_websocket_application()
from django_websocket.pubsub.brokers.base import make_broker
make_broker("redis://localhost")
"""


def test_installed_library_works_elsewhere(tmp_path):
    source = tmp_path / "source"  # a build leaves files behind
    shutil.copytree(ROOT / "app", source / "app")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
            "--no-index", "--target", tmp_path / "site", source,
        ],
        check=True,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )  # fmt: skip
    installed = {path.name for path in (tmp_path / "site").iterdir()}
    assert "django_websocket" in installed
    assert not installed & {"project", "chat", "examples", "tests"}
    for name in ("py.typed", "static/django_websocket/websocket.js"):
        assert (tmp_path / "site/django_websocket" / name).exists()
    scripts = "django_websocket/pubsub/brokers/redis"
    shipped = {path.name for path in (tmp_path / "site" / scripts).glob("*.lua")}
    assert shipped == {path.name for path in (ROOT / "app" / scripts).glob("*.lua")} != set()
    output = subprocess.run(
        [sys.executable, "-c", SITE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert output.splitlines()[-1] == "/echo/"
