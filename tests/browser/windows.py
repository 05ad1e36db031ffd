"""Windows of a real browser on the running stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from support.stack import PATIENCE, Stack
from support.visitors import log_in, make_member

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=PATIENCE * 1000)

PHONE = {"viewport": {"width": 360, "height": 700}, "is_mobile": True, "has_touch": True}


@contextmanager
def open_window(
    browser: Browser, url: str, *, outage: bool = False, logs: bool = False, **options: Any
) -> Iterator[Page]:
    """A window without history; ``outage`` allows complaints about lost connections, ``logs`` what
    scripts log.

    Afterwards the window's console must be empty.
    """
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        lost = "WebSocket connection" in message.text
        if not (outage and lost) and not (logs and message.type == "log"):
            complaints.append(f"{message.type}: {message.text}")

    options.setdefault("viewport", {"width": 1000, "height": 700})
    context = browser.new_context(base_url=url, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    assert not complaints, complaints


def log_in_as(page: Page, stack: Stack, name: str) -> None:
    """Make a member, whose window this is from now on."""
    make_member(stack, name)
    cookies = (cookie.split("=") for cookie in log_in(stack, name).split("; "))
    page.context.add_cookies(
        [{"name": key, "value": value, "url": stack.url} for key, value in cookies]
    )


def connected(page: Page) -> Page:
    """Wait until the page's socket is open."""
    expect(page.get_by_role("status")).to_have_text("Connected")
    return page


def enter(page: Page, room: str, name: str | None = None) -> Page:
    """Go into a chat room, under a name."""
    page.goto(f"/chat/{room}/")
    if name:
        page.get_by_label("Name").fill(name)
        page.get_by_label("Name").blur()
    return connected(page)


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()


def message(page: Page, text: str) -> Locator:
    """The message that says ``text``."""
    return page.get_by_role("log").get_by_role("listitem").filter(has_text=text)


def people(page: Page) -> Locator:
    """The line that says who is in the room."""
    return page.locator("#people summary")


def choose_colour(page: Page, colour: str) -> None:
    """What the system's own colour dialog does at the end."""
    page.get_by_label("Colour").fill(colour)
