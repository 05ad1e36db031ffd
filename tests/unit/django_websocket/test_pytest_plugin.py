import subprocess
import sys
import tomllib
import urllib.request
from importlib import import_module
from importlib.metadata import entry_points

from django_websocket.pytest_plugin import websocket_live_server
from support.server import ROOT

__all__ = ["websocket_live_server"]


def test_the_fixture_serves_the_site(websocket_live_server):
    url = f"{websocket_live_server}/static/django_websocket/websocket.js"
    with urllib.request.urlopen(url) as answer:
        assert b"export" in answer.read()


def test_the_wheel_registers_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (module,) = project["entry-points"]["pytest11"].values()
    assert import_module(module).websocket_live_server is websocket_live_server


def test_it_leaves_projects_without_pytest_django_alone(tmp_path):
    """They may have the library installed all the same: it imports no Django."""
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n    assert 'django' not in sys.modules\n"
    )
    installed = entry_points(group="pytest11", name="django_websocket")
    run = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider",
            *([] if installed else ["-p", "django_websocket.pytest_plugin"]), tmp_path,
        ],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT / "app")}, capture_output=True, text=True,
    )  # fmt: skip
    assert "1 passed" in run.stdout, run.stdout + run.stderr
