"""A connection that passes nothing more, and says nothing of it, in the chat in a real browser."""

import os
import subprocess
import sys
import time

import pytest
from playwright.sync_api import expect

from support.ports import free_port
from support.server import ROOT, Server, wait_for
from support.swallower import Swallower

from .windows import enter, message, open_window, say

#: What the settings of the test promise, and what the page adds: see LATE in websocket.js.
WITHIN = 1.0 + 2.0
LATE = 2.0


#: The line may say "Connected" again before anybody looks.
WATCH = """() => {
  const line = document.querySelector("#status");
  window.statuses = [];
  new MutationObserver(() => statuses.push(line.textContent.trim())).observe(line, {
    subtree: true, childList: true, characterData: true,
  });
}"""


@pytest.fixture
def chat(tmp_path):
    """The chat behind ``manage.py runserver``."""
    env = os.environ | {
        "STATE_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "support.quick_settings",
        "PYTHONPATH": str(ROOT / "tests"),
    }
    manage = [sys.executable, ROOT / "app/manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity=0"], env=env, check=True)
    port, log = free_port(), tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*manage, "runserver", "--noreload", str(port)], env=env, stdout=output, stderr=output
        )
    server = Server(process, ("127.0.0.1", port), log)
    try:
        server.wait_for_log("WebSockets: ")
        yield server
    finally:
        process.terminate()
        process.wait()


def test_it_is_shown_and_the_message_typed_meanwhile_arrives_once(browser, chat):
    with Swallower(chat.address) as network:
        site = "http://{}:{}".format(*network.address)
        with (
            open_window(browser, site, outage=True, bypass_csp=True) as ada,
            open_window(browser, "http://{}:{}".format(*chat.address)) as grace,
        ):
            enter(ada, "half-open", "Ada")
            enter(grace, "half-open", "Grace")
            ada.evaluate(WATCH)
            say(ada, "before")
            expect(message(grace, "before")).to_be_visible()
            network.swallow()
            swallowed = time.monotonic()
            say(ada, "typed into nothing")
            ada.wait_for_function("statuses.some((text) => text !== 'Connected')")
            # The last byte came at most an interval before it went dead.
            assert time.monotonic() - swallowed < WITHIN + LATE + 2  # of a busy machine
            expect(message(grace, "typed into nothing")).to_be_visible()
            expect(message(ada, "typed into nothing")).to_be_visible()
            say(ada, "after")
            for page in (ada, grace):
                expect(message(page, "after")).to_be_visible()
                items = page.get_by_role("log").get_by_role("listitem")
                wait_for(lambda items=items: items.count() == 3)


def test_with_the_defaults_it_shows_within_45_seconds():
    from django_websocket.options import Options

    options = Options()
    assert options.ping_interval + options.ping_timeout + LATE <= 45
