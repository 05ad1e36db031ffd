"""The documentation's site in a browser: no error, and the search finds what people look for."""

import functools
import http.server
import subprocess
import sys
import threading

import pytest

from support.server import ROOT


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "sphinx", "--quiet", ROOT / "docs", folder], check=True)
    handler = functools.partial(Files, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("word", ["logout", "Channels", "HTMX"])
def test_the_search_finds(browser, site, word):
    page = browser.new_page()
    page.goto(f"{site}/search.html?q={word}")
    page.locator("#search-results li a").first.wait_for()


def test_no_page_has_an_error(browser, site):
    page, errors = browser.new_page(), []
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in ("index.html", "reference/python.html", "reference/settings.html"):
        page.goto(f"{site}/{path}")
        page.wait_for_load_state("networkidle")
    assert errors == []
