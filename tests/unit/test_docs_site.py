"""The documentation's site: `make docs` without a warning, and no link in it leads nowhere."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from sphinx.util.inventory import InventoryFile

import django_websocket
from support.server import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going",
            "--doctree-dir", folder / "doctrees", ROOT / "docs", folder / "html",
        ],
        check=True,
    )  # fmt: skip
    return folder / "html"


def test_every_link_and_anchor_leads_somewhere(site):
    pages = {path: BeautifulSoup(path.read_text(), "html.parser") for path in site.rglob("*.html")}
    anchors = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    lost = []
    for path, page in pages.items():
        for link in page.find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = anchors.get(target)
            found = target.exists() and (not parts.fragment or known is None)
            if not found and unquote(parts.fragment) not in (known or ()):
                lost.append(f"{path.relative_to(site)}: {link['href']}")
    assert lost == []


def test_a_link_that_leaves_the_documentation_leads_to_a_file_of_the_repository(site):
    page = (site / "how-to/take-messages-back.html").read_text()
    assert "/blob/main/app/chat/models.py" in page
    assert 'href="deploy.html"' in (site / "reference/nginx.html").read_text()


def test_every_name_at_the_door_is_in_the_python_api(site):
    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.loads(file.read(), uri="").data
    documented = {
        name.rpartition(".")[2]
        for kind, names in inventory.items()
        if kind in {"py:function", "py:class", "py:exception"}
        for name in names
    }
    assert set(django_websocket.__all__) <= documented
