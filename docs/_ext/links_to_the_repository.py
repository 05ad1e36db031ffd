"""A link that leaves ``docs/`` leads to the page that includes its file, or to the repository."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
BEFORE_DOWNLOADS_ARE_COLLECTED = 400

RELATIVE_LINK = re.compile(r"\]\(((?!#|\w+:)[^)\s]+)")

#: Files at other places that are pages of the documentation, too.
PAGES = {
    "CHANGELOG.md": "project/changelog",
    "CONTRIBUTING.md": "project/contributing",
    "README.md": "index",
    "SECURITY.md": "project/security",
    "deploy/README.md": "reference/deploy",
}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", include)
    app.connect("doctree-read", link, priority=BEFORE_DOWNLOADS_ARE_COLLECTED)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def include(app: Sphinx, page: str, source: list[str]) -> None:
    """Give a page of ``PAGES`` the text of its file, with links that are relative to the page."""
    file = next((name for name in PAGES if PAGES[name] == page and page != "index"), None)
    if file is None:
        return
    folder = Path(app.srcdir, page).parent

    def relative(match: re.Match[str]) -> str:
        return "](" + os.path.relpath((ROOT / file).parent / match[1], folder)

    source[0] = RELATIVE_LINK.sub(relative, (ROOT / file).read_text())


def link(app: Sphinx, document: nodes.document) -> None:
    """Change each link of a page that leaves ``docs/``."""
    folder = Path(app.env.doc2path(app.env.docname)).parent
    for node in list(document.findall(addnodes.download_reference)):
        _to_the_repository(node, Path(os.path.normpath(folder / node["reftarget"])), app)
    for node in list(document.findall(addnodes.pending_xref)):
        target = Path(os.path.normpath(folder / node["reftarget"]))
        if node.get("refdomain") == "doc":
            _to_a_page(node, target.with_name(f"{target.name}.md"), app)
        elif target.is_dir():
            _to_the_repository(node, target, app)


def _to_a_page(node: addnodes.pending_xref, target: Path, app: Sphinx) -> None:
    page = PAGES.get(os.path.relpath(target, ROOT))
    if page:
        node["reftarget"] = page
    else:
        _to_the_repository(node, target, app)


def _to_the_repository(node: nodes.Element, target: Path, app: Sphinx) -> None:
    if target.is_relative_to(app.srcdir) or not target.exists():
        return  # Sphinx copies the file, resolves the page, or warns
    kind = "tree" if target.is_dir() else "blob"
    url = f"{URLS['Source']}/{kind}/main/{target.relative_to(ROOT)}"
    node.replace_self(nodes.reference("", "", *node.children, refuri=url, internal=False))
