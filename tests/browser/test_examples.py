"""The examples' pages, as a visitor uses them."""

import re

from playwright.sync_api import expect

from support.stack import needs_our_worker

from .windows import connected


def open_example(page, name):
    page.goto(f"/{name}/")
    return connected(page)


def send(page, text):
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def lines(page):
    return page.get_by_role("log").get_by_role("listitem")


def test_echo(window):
    page = open_example(window(), "echo")
    send(page, "Grüße")
    expect(lines(page)).to_have_text(["You Grüße", "Server Grüße"])
    page.get_by_label("Binary").check()
    page.get_by_role("button", name="Send").click()
    expect(lines(page).last).to_have_text("Server binary, 7 bytes")


def test_ping(window):
    page = open_example(window(), "ping")
    page.get_by_role("button", name="Send").click()
    expect(lines(page)).to_have_text(["You ping", "Server pong"])
    send(page, "anything else")
    send(page, "pong")
    expect(lines(page).last).to_have_text("Server ping")
    expect(lines(page)).to_have_count(5)


def test_ticker(window):
    page = open_example(window(), "ticker")
    expect(lines(page).nth(1)).to_have_text(re.compile(r"Server \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"))
    expect(page.get_by_role("button", name="Send")).to_have_count(0)


def test_select_relays_between_windows(window):
    ada, grace = open_example(window(), "select"), open_example(window(), "select")
    send(grace, "I am here")
    expect(lines(grace)).to_have_text(["You I am here", "Server I am here"])
    send(ada, "to all")
    expect(lines(ada).last).to_have_text("Server to all")
    expect(lines(grace).last).to_have_text("Server to all")


def test_a_way_from_the_index_to_each_page(window):
    page = window()
    for name in ("Chat", "Echo", "Ping", "Ticker", "Select"):
        page.goto("/")
        page.get_by_role("main").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)


@needs_our_worker
def test_entering_a_room(window):
    page = window()
    page.goto("/chat/")
    page.get_by_role("textbox", name="Room").fill("!!!")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("Use Latin letters or digits")
    page.get_by_role("textbox", name="Room").fill("Coffee break")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("#coffee-break")
    connected(page)
