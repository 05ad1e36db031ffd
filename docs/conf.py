"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "app"), str(ROOT / "docs/_ext")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django  # noqa: E402 - it is found by the path above

django.setup()

from django_websocket import __version__  # noqa: E402

project = "django-gevent-websocket"
author = "The django-gevent-websocket contributors"
copyright = author  # noqa: A001 - Sphinx's name for it
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "links_to_the_repository",
]
exclude_patterns = ["README.md"]  # part of index.md
suppress_warnings = ["autosectionlabel.*"]

myst_enable_extensions = ["colon_fence", "deflist"]
# A link to "page.md#a-heading" is checked like any other.
myst_heading_anchors = 4

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_display_short_literal_types = True

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "images/favicon.svg"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0c4b33", "color-brand-content": "#0c6f4a"},
    "dark_css_variables": {"color-brand-primary": "#66d19e", "color-brand-content": "#66d19e"},
}
html_copy_source = False
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
