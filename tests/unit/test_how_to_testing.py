"""docs/how-to/testing.md: each of its examples runs in a project of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import ROOT

PAGE = (ROOT / "docs/how-to/testing.md").read_text()

#: What the page takes for granted: a project with a page, a login and a logout.
PROJECT = {
    "manage.py": """
import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
""",
    "settings.py": """
from pathlib import Path

SECRET_KEY = "only for tests"
INSTALLED_APPS = [
    "django_websocket",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "chat",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]
STATIC_URL = "static/"
ROOT_URLCONF = "urls"
LOGIN_URL = "login"
WEBSOCKET_URLCONF = "websocket_urls"
WEBSOCKET_BROKER = "memory://"
USE_TZ = True
""",
    "urls.py": """
from django.contrib.auth import logout, views
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path


def leave(request):
    logout(request)
    return HttpResponse("bye")


urlpatterns = [
    path("", login_required(lambda request: render(request, "chat.html"))),
    path("login/", views.LoginView.as_view(template_name="login.html"), name="login"),
    path("logout/", leave),
]
""",
    "websocket_urls.py": """
from django.urls import path

from chat.websockets import room

urlpatterns = [path("room/", room, name="room")]
""",
    "templates/login.html": """
<form method="post">{% csrf_token %}{{ form }}<button>Log in</button></form>
""",
    "templates/chat.html": """
{% load websockets static %}
<script src="{% static 'chat.js' %}"></script>
<p id="state">connecting</p><ul id="log"></ul><input id="text">
<script>chat("{% websocket_url 'room' %}")</script>
""",
    "chat/__init__.py": "",
    "chat/static/chat.js": """
function chat(url) {
  window.onload = () => {
    const at = (id) => document.getElementById(id)
    const socket = new WebSocket(url)
    socket.onopen = () => { at("state").textContent = "open" }
    socket.onclose = (event) => { at("state").textContent = "closed with " + event.code }
    socket.onmessage = (event) => { at("log").textContent += JSON.parse(event.data).data }
    at("text").onchange = (event) => { socket.send(event.target.value) }
  }
}
""",
    "pytest.ini": """
[pytest]
DJANGO_SETTINGS_MODULE = settings
filterwarnings = error
python_files = tests.py test_*.py
""",
}

#: Where Chromium is, instead of the one that Playwright downloads.
LAUNCH = """launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu",
            "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"])"""


def examples():
    """The page's files. Those with several blocks are joined."""
    files = {}
    for path, code in re.findall(r"^`([\w/.]+)`:\n\n```python\n(.*?)^```$", PAGE, re.M | re.S):
        files[path] = files.get(path, "") + ("\n" if path in files else "") + code
    return files


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for path, text in (PROJECT | examples()).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("chromium.launch()", f"chromium.{LAUNCH}"))
    (folder / "chat/test_selenium.py").unlink()
    return folder


def run(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT / "app"), "DJANGO_SETTINGS_MODULE": "settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("options", [[], ["--parallel", "2"]], ids=["alone", "parallel"])
def test_they_run_under_django_s_runner(project, options):
    output = run(project, "-W", "error", "manage.py", "test", *options)
    assert re.search(r"Ran 5 tests.*OK", output, re.S), output


def test_they_run_under_pytest(project):
    output = run(
        project, "-m", "pytest", "-q", "-p", "django_websocket.pytest_plugin",
        "-p", "no:cacheprovider",
    )  # fmt: skip
    assert "7 passed" in output, output


def test_the_one_with_selenium_compiles():
    compile(examples()["chat/test_selenium.py"], "test_selenium.py", "exec")


def test_every_block_of_python_is_a_file_of_the_project():
    assert PAGE.count("```python") == len(re.findall(r"^`[\w/.]+`:\n\n```python", PAGE, re.M))
