"""A chat as it was, and as docs/how-to/move-from-*.md port it: visitors see no difference."""

from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from support.ported import Application

from .windows import connected, message, open_window, say

pytestmark = pytest.mark.timeout(300)

MARKUP = "<b>5 > 3</b> & \"x\" 'y' \\ {{ 7 }} ä 🙂"

APPLICATIONS = [
    f"{name}_{version}"
    for name in ("channels", "socketio", "gevent_websocket", "websocket_redis")
    for version in ("before", "after")
]


@pytest.fixture(params=APPLICATIONS)
def window(request, browser, tmp_path):
    logs = request.param == "websocket_redis_before"  # its script does
    with ExitStack() as stack:
        url = stack.enter_context(Application(request.param, tmp_path).serve())
        yield lambda: stack.enter_context(open_window(browser, url, logs=logs))


def enter(window, room):
    page = window()
    page.goto(f"/chat/{room}/")
    return connected(page)


def test_two_windows_chat(window):
    ada, bob, carol = enter(window, "lobby"), enter(window, "lobby"), enter(window, "kitchen")
    say(ada, MARKUP)
    for page in (ada, bob):
        expect(message(page, MARKUP)).to_be_visible()
    say(carol, "another room")
    expect(message(carol, "another room")).to_be_visible()
    say(bob, "hello Ada")
    expect(message(ada, "hello Ada")).to_be_visible()
    for page, count in ((ada, 2), (bob, 2), (carol, 1)):
        expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(count)
    bob.reload()
    connected(bob)
    say(ada, "are you back?")
    expect(message(bob, "are you back?")).to_be_visible()
    say(bob, "I am")
    expect(message(ada, "I am")).to_be_visible()
    # A page publishes, too.
    bob.get_by_role("button", name="Ring").click()
    expect(message(ada, "ding")).to_be_visible()
    expect(message(carol, "ding")).to_have_count(0)


@pytest.mark.parametrize("window", ["socketio_before", "socketio_after"], indirect=True)
def test_the_page_gets_an_answer(window):
    ada = enter(window, "lobby")
    say(ada, " ")
    expect(ada.get_by_role("alert")).to_have_text("Say something.")
    say(ada, "hello")
    expect(ada.get_by_label("Message")).to_have_value("")
    expect(ada.get_by_role("alert")).to_have_text("")
    expect(message(ada, "hello")).to_be_visible()
