from contextlib import ExitStack

import pytest
from playwright.sync_api import sync_playwright

from .windows import CHROMIUM, FLAGS, open_window


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium. Ends with the module: Playwright's event loop is in Django's way."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def window(browser, stack):
    """Open windows, each of a visitor of its own; none may have complained on its console."""
    with ExitStack() as windows:
        yield lambda **options: windows.enter_context(open_window(browser, stack.url, **options))
