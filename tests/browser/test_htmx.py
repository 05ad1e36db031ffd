"""docs/how-to/htmx.md: its files, as they stand there, in a project and a real browser."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.ports import free_port
from support.server import ROOT, Server

from .windows import open_window

pytestmark = pytest.mark.skipif(
    not shutil.which("npm"), reason="npm is missing: install nodejs and npm"
)

SETTINGS = """
SECRET_KEY = "a test's"
DEBUG = True
INSTALLED_APPS = ["django_websocket", "django.contrib.staticfiles", "shop"]
ROOT_URLCONF = "shop.urls"
WEBSOCKET_URLCONF = "shop.websocket_urls"
STATIC_URL = "static/"
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
}]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The page's project, served."""
    site = tmp_path_factory.mktemp("htmx")
    page = (ROOT / "docs/how-to/htmx.md").read_text()
    for name, text in re.findall(
        r"   ```\w+\n   (?:# |<!-- )(shop/\S+)(?: -->)?\n(.*?)   ```", page, re.DOTALL
    ):
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(re.sub(r"^   ", "", text, flags=re.MULTILINE))
    (site / "settings.py").write_text(SETTINGS)
    scripts(site)
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONPATH": f"{site}:{ROOT / 'app'}",
    }
    port, log = free_port(), site / "log"
    command = [sys.executable, "-m", "django", "runserver", "--noreload", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=site, env=env, stdout=output, stderr=output)
    server = Server(process, ("127.0.0.1", port), log)
    try:
        server.wait_for_log("WebSockets: ")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def scripts(site: Path) -> None:
    packages = site / "npm"
    shutil.copytree(Path(__file__).parent / "htmx", packages)
    install = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(install, cwd=packages, check=True)
    static = site / "shop/static/shop"
    static.mkdir(parents=True)
    for name in ("htmx.org/dist/htmx.min.js", "htmx-ext-ws/dist/ws.min.js"):
        shutil.copy(packages / "node_modules" / name, static)


def test_a_table_is_live_in_two_windows(browser, shop):
    with open_window(browser, shop) as ada, open_window(browser, shop) as grace:
        for page in (ada, grace):
            page.goto("/prices/")
        expect(ada.get_by_role("row", name="apple 1.00")).to_be_visible()
        ada.get_by_label("Product").fill("apple")
        ada.get_by_label("Price").fill("1.25")
        ada.get_by_role("button").click()
        for page in (ada, grace):
            expect(page.get_by_role("row", name="apple 1.25")).to_be_visible()
            expect(page.get_by_role("row")).to_have_count(2)
        ada.get_by_label("Price").fill("-1")
        ada.get_by_role("button").click()
        expect(ada.locator("#problem")).to_contain_text("greater than or equal to 0")
        expect(grace.locator("#problem")).to_be_empty()
        grace.reload()
        expect(grace.get_by_role("row", name="apple 1.25")).to_be_visible()
