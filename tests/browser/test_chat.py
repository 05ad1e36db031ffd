"""Two people chat in two windows."""

import itertools
import json
import os

import psutil
import pytest
import websocket
from playwright.sync_api import expect

from support.stack import ROOT, wait_for
from support.visitors import Visitor

from .windows import choose_colour, connected, enter, log_in_as, message, say

_numbers = itertools.count(1)


@pytest.fixture
def room():
    return f"browser-{next(_numbers)}"


def test_two_windows_chat(window, room):
    ada, grace = enter(window(), room, "Ada"), enter(window(), room, "Grace")
    expect(ada.get_by_text("Nobody has said anything here yet")).to_be_visible()
    say(ada, "Good morning")
    expect(message(grace, "Good morning")).to_contain_text("Ada")
    expect(ada.get_by_label("Message", exact=True)).to_have_value("")
    say(grace, "Hello Ada")
    expect(message(ada, "Hello Ada")).to_contain_text("Grace")
    expect(ada.get_by_role("log").get_by_role("listitem")).to_have_count(2)
    expect(ada.get_by_text("Nobody has said anything here yet")).to_be_hidden()


def test_name_and_colour_change_at_any_time_and_are_remembered(window, room):
    ada, other = enter(window(), room, "Ada"), enter(window(), room)
    choose_colour(ada, "#c2410c")
    say(ada, "first")
    ada.get_by_label("Name").fill("Countess")
    choose_colour(ada, "#7e22ce")
    say(ada, "second")
    for text, name, colour in (("first", "Ada", "#c2410c"), ("second", "Countess", "#7e22ce")):
        expect(message(other, text)).to_contain_text(name)
        expect(message(other, text).locator("circle")).to_have_attribute("fill", colour)
    connected(ada.reload() and ada)
    expect(ada.get_by_label("Name")).to_have_value("Countess")
    expect(ada.get_by_label("Colour")).to_have_value("#7e22ce")


def test_a_new_visitor_has_a_name_and_a_colour(window, room):
    page = enter(window(), room)
    assert page.get_by_label("Name").input_value().startswith("Guest ")
    assert page.get_by_label("Colour").input_value() != "#000000"


def test_a_mistake_is_shown_beside_its_field(window, room):
    page = enter(window(), room, "")
    name, text = page.get_by_label("Name"), page.get_by_label("Message", exact=True)
    name.fill("")
    say(page, "Who am I?")
    expect(page.get_by_text("Enter a name.")).to_be_visible()
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description("Enter a name.")
    expect(text).to_have_value("Who am I?")
    name.fill("Ada")
    page.get_by_role("button", name="Send").click()
    expect(message(page, "Who am I?")).to_contain_text("Ada")
    expect(page.get_by_text("Enter a name.")).to_be_hidden()
    expect(name).to_have_attribute("aria-invalid", "false")


def test_a_history_that_comes_late_does_not_keep_what_was_sent(window, room):
    page, held = window(), []

    def hold_the_history_until_something_was_sent(client):
        def pass_on(text):
            if json.loads(text)["type"] == "history":
                held.append(text)
                return
            for late in (*held, text):
                client.send(late)
            held.clear()

        client.connect_to_server().on_message(pass_on)

    page.route_web_socket(f"**/chat/{room}/", hold_the_history_until_something_was_sent)
    say(enter(page, room, "Ada"), "quick")
    expect(message(page, "quick")).to_have_count(1)
    expect(page.get_by_label("Message", exact=True)).to_have_value("")


def test_keyboard_alone(window, room):
    page = enter(window(), room, "Ada")
    page.get_by_label("Name").focus()
    page.keyboard.press("Tab")
    page.keyboard.type("one line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("another")
    page.keyboard.press("Enter")
    expect(message(page, "one line")).to_contain_text("another")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("log")).to_be_focused()


def test_what_others_write_is_text(window, room):
    ada, mallory = enter(window(), room), enter(window(), room, "<b>Mallory</b>")
    attack = "<img src=x onerror=\"document.title='taken'\">"
    say(mallory, attack)
    expect(message(ada, attack)).to_contain_text("<b>Mallory</b>")
    ada.reload()
    expect(message(ada, attack)).to_contain_text("<b>Mallory</b>")
    assert ada.title() == f"#{room} · Django WebSockets"


def test_a_member_is_known_by_name(window, room, stack):
    member, visitor = window(), enter(window(), room, "margaret")
    log_in_as(member, stack, "Margaret")
    enter(member, room)
    expect(member.get_by_label("Name")).to_have_value("Margaret")
    expect(member.get_by_label("Name")).to_be_disabled()
    say(member, "It is me")
    expect(message(visitor, "It is me")).to_contain_text("Margaret member")
    say(visitor, "No, me")
    expect(visitor.get_by_text("This name belongs to a member.")).to_be_visible()


def test_a_restart_of_the_server_and_a_reload(window, room, stack):
    page = enter(window(outage=True), room, "Ada")
    say(page, "before")
    expect(message(page, "before")).to_be_visible()
    kill_websocket_gunicorns(stack)
    page.reload()
    expect(message(page, "before")).to_be_visible()
    connected(page)
    say(page, "after")
    expect(message(page, "after")).to_be_visible()


def test_a_page_comes_back_by_itself_with_what_it_missed(window, room, stack):
    page = enter(window(outage=True), room, "Ada")
    say(page, "before")
    expect(message(page, "before")).to_be_visible()
    page.context.set_offline(True)  # the page cannot come back while others talk
    kill_websocket_gunicorns(stack)
    expect(page.get_by_role("status")).to_contain_text("Connection lost")
    say(page, "not now")
    expect(page.get_by_text("Not sent: there is no connection.")).to_be_visible()
    wait_for(lambda: talk(stack, room, "missed"), 20)
    page.context.set_offline(False)
    connected(page)
    expect(message(page, "missed")).to_be_visible()
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_label("Message", exact=True)).to_have_value("not now")


def test_who_reads_older_messages_is_not_torn_away(window, room, stack):
    with Visitor(stack, room) as visitor:
        for number in range(40):
            visitor.say(f"Number {number}.")
        page = enter(window(), room)
        expect(message(page, "Number 39.")).to_be_in_viewport()
        page.get_by_role("log").evaluate("log => { log.scrollTop = 0 }")
        expect(message(page, "Number 0.")).to_be_in_viewport()
        visitor.say("news")
        expect(page.get_by_role("button", name="New messages")).to_be_visible()
        expect(message(page, "Number 0.")).to_be_in_viewport()
        page.get_by_role("button", name="New messages").click()
        expect(message(page, "news")).to_be_in_viewport()
        expect(page.get_by_role("button", name="New messages")).to_be_hidden()


def test_more_was_missed_than_the_history_holds(window, room, stack):
    page = enter(window(outage=True), room, "Ada")
    say(page, "long ago")
    expect(message(page, "long ago")).to_be_visible()
    page.context.set_offline(True)
    kill_websocket_gunicorns(stack)
    expect(page.get_by_role("status")).to_contain_text("Connection lost")
    wait_for(lambda: talk(stack, room, "Number 0."), 20)
    with Visitor(stack, room) as visitor:
        for number in range(1, 51):
            visitor.say(f"Number {number}.")
    page.context.set_offline(False)
    expect(message(page, "Number 50.")).to_be_visible()
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(50)
    expect(message(page, "long ago")).to_have_count(0)


@pytest.mark.parametrize(
    ("picture", "room", "scheme"),
    [("chat.png", "lobby", "light"), ("chat-dark.png", "night-shift", "dark")],
)
def test_screenshot(window, tmp_path, picture, room, scheme):
    """The README's pictures. UPDATE_SCREENSHOTS=1 writes them to docs/images/."""
    size = {"width": 900, "height": 560}
    page = enter(window(viewport=size, device_scale_factor=2, color_scheme=scheme), room)
    for name, colour, text in (
        ("Ada", "#c2410c", "Good morning. Is the new release out?"),
        ("Grace", "#1d4ed8", "Since nine. One instance after the other, and nobody noticed."),
        ("Ada", "#c2410c", "The best sort of news: none."),
        ("Linus", "#15803d", "My tab stayed open all the while and caught up by itself."),
    ):
        page.get_by_label("Name").fill(name)
        choose_colour(page, colour)
        say(page, text)
        expect(message(page, text)).to_be_visible()
    folder = ROOT / "docs" / "images" if os.environ.get("UPDATE_SCREENSHOTS") else tmp_path
    page.screenshot(path=folder / picture)


def talk(stack, room, text):
    """Say something in the room, if that is possible already."""
    try:
        with Visitor(stack, room, "Grace") as visitor:
            return visitor.say(text)
    except (OSError, websocket.WebSocketException):
        return None


def kill_websocket_gunicorns(stack):
    victims = [
        process
        for process in stack.processes()
        if "deploy/gunicorn/websocket.py" in " ".join(process.cmdline())
    ]
    assert victims
    for process in victims:
        process.kill()
    psutil.wait_procs(victims, 10)
