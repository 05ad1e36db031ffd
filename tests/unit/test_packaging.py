"""The wheel and the sdist: what is in them, and that the library works without the rest."""

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from support.distribution import TOOLS, build
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


def run(*command) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


def test_an_index_takes_both(built, wheel):
    (sdist,) = built.glob("*.tar.gz")
    run(TOOLS / "twine", "check", "--strict", wheel, sdist)
    run(TOOLS / "check-wheel-contents", wheel)


def test_the_sdist_has_what_a_packager_needs(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for file in (
        "tests/unit/test_packaging.py",
        "docs/conf.py",
        "Makefile",
        "requirements-dev.txt",
    ):
        assert file in names


def test_the_wheel_has_the_library_and_nothing_else(wheel):
    library = ROOT / "app/django_websocket"
    files = run("git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", library).splitlines()
    expected = {name.removeprefix("app/") for name in files if (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected
    assert "django_websocket/py.typed" in found  # or a type checker takes all of it for Any


def test_the_long_description_works_outside_of_the_repository(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    text = metadata.get_payload()
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    assert len(targets) > 10
    assert [
        link or image for link, image in targets if not (link or image).startswith("https://")
    ] == []
    labels = {url.partition(",")[0] for url in metadata.get_all("Project-URL")}
    assert {"Documentation", "Source", "Changelog", "Issues"} <= labels
    assert {"metrics", "opentelemetry", "postgres", "redis"} == set(
        metadata.get_all("Provides-Extra")
    )


def test_the_installed_library_works_elsewhere(tmp_path, wheel):
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--disable-pip-version-check", "--target", tmp_path / "site", wheel,
    )  # fmt: skip
    output = subprocess.run(
        [sys.executable, "-c", SITE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert output.splitlines()[-1] == "/echo/"
