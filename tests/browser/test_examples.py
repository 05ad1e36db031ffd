"""The examples' pages, as a visitor uses them."""

import re

from playwright.sync_api import expect

from support.outages import kill_websocket_gunicorns
from support.stack import needs_our_worker

from .windows import connected, log_in_as


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
    for name in ("Chat", "Echo", "Ping", "Ticker", "Select", "Bell", "Minutes"):
        page.goto("/")
        page.get_by_role("main").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)


@needs_our_worker
def test_entering_a_room(window):
    page = window()
    page.goto("/chat/")
    page.get_by_role("textbox", name="Room").fill("!!!")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("Use letters or digits")
    page.get_by_role("textbox", name="Room").fill("Coffee break")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("#coffee-break")
    connected(page)


def status_of(page):
    return page.locator("#status")


@needs_our_worker
def test_a_bell_rings_in_all_windows_of_a_user_and_after_a_restart(window, stack):
    writer, one, two = window(outage=True), window(outage=True), window(outage=True)
    log_in_as(writer, stack, "Writer")
    log_in_as(one, stack, "Reader")
    two.context.add_cookies(one.context.cookies())
    for page in (writer, one, two):
        page.goto("/bell/")
        expect(status_of(page)).to_have_text("Connected")

    def write(text):
        writer.get_by_label("To").fill("Reader")
        writer.get_by_label("Text").fill(text)
        writer.get_by_role("button", name="Send").click()

    write("The build is red")
    for page in (one, two):
        expect(page.locator("#count")).to_have_text("1 new")
        expect(page.locator("#notes li")).to_have_text(["Writer: The build is red"])
    one.get_by_role("button", name="Mark all as read").click()
    expect(two.locator("#count")).to_have_text("Nothing new")
    one.context.set_offline(True)
    kill_websocket_gunicorns(stack)
    expect(status_of(writer)).to_contain_text("Connection lost")
    expect(status_of(writer)).to_have_text("Connected")
    write("It is green again")
    expect(writer.get_by_label("Text")).to_have_value("")
    one.context.set_offline(False)
    for page in (one, two):
        expect(page.locator("#count")).to_have_text("1 new")
        expect(page.locator("#notes li")).to_have_text(
            ["Writer: It is green again", "Writer: The build is red"]
        )
    writer.get_by_label("To").fill("Nobody at all")
    writer.get_by_role("button", name="Send").click()
    expect(writer.locator("#id_to_error")).to_have_text("There is no member of this name.")
    expect(writer.get_by_label("To")).to_have_attribute("aria-invalid", "true")
    expect(writer.locator("#count")).to_have_text("Nothing new")


@needs_our_worker
def test_two_windows_fill_in_one_form_through_a_restart(window, stack):
    ada, grace = (open_example(window(outage=True), "minutes") for _ in range(2))
    ada.get_by_label("Title").fill("Budget")
    expect(grace.get_by_label("Title")).to_have_value("Budget")
    grace.get_by_label("Text").focus()
    expect(ada.locator("#id_text_people")).to_contain_text("Guest")
    grace.keyboard.type("We have spent it all.")
    expect(ada.get_by_label("Text")).to_have_value("We have spent it all.")
    expect(ada.locator("#id_title_people")).to_be_empty()  # oneself is not shown
    ada.get_by_label("Number of people").fill("-1")
    expect(ada.get_by_text("Ensure this value is greater than or equal to 0.")).to_be_visible()
    ada.get_by_label("Text").focus()
    expect(grace.locator("#id_text_people")).to_contain_text("Guest")
    expect(ada.get_by_label("Number of people")).to_have_value("-1")  # until it is mended
    kill_websocket_gunicorns(stack)
    ada.get_by_label("Number of people").fill("7")
    expect(grace.get_by_label("Number of people")).to_have_value("7")
    expect(ada.get_by_text("Ensure this value")).to_be_hidden()
    expect(ada.get_by_role("status")).to_have_text("Connected")
    late = open_example(window(), "minutes")
    expect(late.get_by_label("Text")).to_have_value("We have spent it all.")
    grace.context.close()
    expect(ada.locator("#id_text_people")).to_be_empty()
