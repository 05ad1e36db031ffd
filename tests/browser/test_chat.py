"""Two people chat in two windows."""

import contextlib
import itertools
import os
import re

import pytest
import websocket
from playwright.sync_api import expect

from chat.channels import channel
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.message import pack
from support.outages import (
    broker_of,
    kill_one_worker,
    kill_redis,
    kill_websocket_gunicorns,
    reload_nginx,
)
from support.stack import ROOT, needs_our_worker, wait_for
from support.visitors import Visitor

from .windows import PHONE, choose_colour, connected, enter, log_in_as, message, people, say

pytestmark = needs_our_worker

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


def test_a_room_shows_who_is_there(window, room):
    ada = enter(window(), room, "Ada")
    expect(people(ada)).to_have_text("Only you are here")
    grace = enter(window(), room, "Grace")
    expect(people(ada)).to_have_text("2 here Ada (you), Grace")
    expect(people(grace)).to_have_text("2 here Grace (you), Ada")
    expect(ada.locator("#news")).to_contain_text("Grace came in.")
    grace.get_by_label("Name").fill("Rear Admiral")
    grace.get_by_label("Message", exact=True).focus()
    expect(people(ada)).to_have_text("2 here Ada (you), Rear Admiral")
    expect(people(grace)).to_have_text("2 here Rear Admiral (you), Ada")
    people(ada).click()
    listed = ada.get_by_role("list", name="People in this room")
    expect(listed.get_by_role("listitem")).to_have_text(["Ada", "Rear Admiral"])
    grace.context.close()
    expect(people(ada)).to_have_text("Only you are here")
    expect(ada.locator("#news")).to_have_text("Rear Admiral left.")


def test_who_reloads_or_loses_the_connection_has_never_been_away(window, room, stack):
    ada = enter(window(), room, "Ada")
    grace = enter(window(outage=True), room, "Grace")
    expect(people(ada)).to_have_text("2 here Ada (you), Grace")
    ada.evaluate("""() => {
      window.news = [];
      new MutationObserver(() => news.push(document.querySelector("#news").textContent))
        .observe(document.querySelector("#news"), { childList: true });
    }""")
    connected(grace.reload() and grace)
    expect(people(grace)).to_have_text("2 here Grace (you), Ada")
    grace.wait_for_timeout(3000)  # longer than anyone lingers
    expect(people(ada)).to_have_text("2 here Ada (you), Grace")
    assert ada.evaluate("news") == []


def test_after_a_restart_everyone_is_there_again(window, room, stack):
    pages = [enter(window(outage=True), room, name) for name in ("Ada", "Grace")]
    for outage in (kill_redis, kill_websocket_gunicorns):
        outage(stack)
        for page, text in zip(pages, ("Ada (you), Grace", "Grace (you), Ada"), strict=True):
            connected(page)
            expect(people(page)).to_have_text(f"2 here {text}")


def test_a_name_that_belongs_to_a_member_is_nobody_s_who_looks_in(window, room, stack):
    member, visitor = window(), window()
    log_in_as(member, stack, "Katherine")
    enter(member, room)
    expect(people(member)).to_have_text("Only you are here")
    enter(visitor, room)
    expect(people(visitor)).to_contain_text("2 here Guest")
    visitor.get_by_label("Name").fill("Katherine")
    visitor.get_by_label("Message", exact=True).focus()
    expect(visitor.get_by_text("This name belongs to a member.")).to_be_visible()
    expect(visitor.get_by_label("Message", exact=True)).to_be_focused()


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
    for _ in range(5):
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


def test_a_page_comes_back_by_itself_and_nothing_is_lost(window, room, stack):
    page = enter(window(outage=True), room, "Ada")
    say(page, "before")
    expect(message(page, "before")).to_be_visible()
    page.context.set_offline(True)  # the page cannot come back while others talk
    kill_websocket_gunicorns(stack)
    expect(page.get_by_role("status")).to_contain_text("Connection lost")
    say(page, "not now")
    expect(page.get_by_text("Not sent yet. It will be sent when")).to_be_visible()
    say(page, "not now")
    wait_for(lambda: talk(stack, room, "missed"))
    page.context.set_offline(False)
    connected(page)
    expect(message(page, "missed")).to_be_visible()
    expect(message(page, "not now")).to_have_count(1)
    expect(page.get_by_text("Not sent yet")).to_be_hidden()
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(3)


def test_nothing_is_missing_and_nothing_shown_twice_whatever_fails(window, room, stack):
    ada, grace = (enter(window(outage=True), room, name) for name in ("Ada", "Grace"))
    texts = [f"{name} {number}." for number in range(16) for name in ("Ada", "Grace")]
    outages = {4: kill_one_worker, 10: kill_redis, 16: reload_nginx, 22: kill_websocket_gunicorns}
    for number, text in enumerate(texts):
        if number in outages:
            outages[number](stack)
        say(ada if text.startswith("Ada") else grace, text)
        # A typist waits for nothing, as a rule.
        if number % 6 == 0:
            expect(ada.get_by_role("log")).to_contain_text(text)
    for page in (ada, grace):
        expect(page.get_by_label("Message", exact=True)).to_have_value("")
        expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(len(texts))
    shown = [page.locator("#log .text").all_inner_texts() for page in (ada, grace)]
    assert shown[0] == shown[1]
    assert sorted(shown[0]) == sorted(texts)
    for name in ("Ada", "Grace"):
        own = [text for text in texts if text.startswith(name)]
        assert [text for text in shown[0] if text.startswith(name)] == own
    ada.reload()
    assert ada.locator("#log .text").all_inner_texts() == shown[0]


def test_earlier_messages_come_with_scrolling_up(window, room, stack):
    with Visitor(stack, room) as visitor:
        for number in range(120):
            visitor.send(f"Number {number}.")
        for _ in range(120):
            visitor.answer()
    page = enter(window(), room)
    items = page.get_by_role("log").get_by_role("listitem")
    expect(items).to_have_count(50)
    for count in (100, 120):
        reading = items.first.inner_text()
        page.get_by_role("log").evaluate("log => { log.scrollTop = 0 }")
        expect(items).to_have_count(count)
        expect(items.filter(has_text=reading.splitlines()[-1]).first).to_be_in_viewport()
    numbers = page.locator("#log .text").all_inner_texts()
    assert numbers == [f"Number {number}." for number in range(120)]
    say(page, "news")
    expect(message(page, "news")).to_be_in_viewport()


def test_an_announcement_reaches_open_windows(window, room, stack):
    page, admin = enter(window(), room), window()
    log_in_as(admin, stack, "Root")
    admin.goto("/admin/chat/announcement/add/")
    admin.get_by_label("Text").fill("The site moves tonight at ten.")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The site moves tonight at ten.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("The site moves tonight at ten.")).to_be_visible()
    admin.locator("#id_form-0-active").uncheck()
    admin.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The site moves tonight at ten.")).to_be_hidden()


@pytest.fixture
def moderator(window, stack):
    """A window of the admin."""
    page = window()
    log_in_as(page, stack, f"moderator-{next(_numbers)}")
    return page


def choose(moderator, model, names, action):
    """Choose rows of the admin's list, and do something with them."""
    moderator.goto(f"/admin/chat/{model}/")
    for name in names:
        moderator.get_by_role("row", name=name).get_by_role("checkbox").check()
    moderator.get_by_label("Action:").select_option(label=action)
    moderator.locator("button[name=index]").click()


def confirm(moderator):
    moderator.get_by_role("button", name="Yes, I").click()
    expect(moderator.locator(".messagelist")).to_contain_text("deleted")


def test_one_s_own_messages_are_changed_and_deleted_for_everyone(window, room):
    ada, grace = enter(window(), room, "Ada"), enter(window(), room, "Grace")
    say(ada, "Good mornign")
    say(ada, "Never mind")
    expect(message(grace, "Never mind")).to_be_visible()
    expect(grace.get_by_role("button", name="Edit")).to_have_count(0)
    connected(ada.reload() and ada)
    message(ada, "Good mornign").hover()
    message(ada, "Good mornign").get_by_role("button", name="Edit").click()
    expect(ada.get_by_label("Message", exact=True)).to_have_value("Good mornign")
    say(ada, "Good morning")
    expect(ada.get_by_label("Message", exact=True)).to_have_value("")
    ada.once("dialog", lambda dialog: dialog.accept())
    message(ada, "Never mind").hover()
    message(ada, "Never mind").get_by_role("button", name="Delete").click()
    for page in (ada, grace):
        expect(page.locator("#log .text")).to_have_text(["Good morning"])
        expect(page.locator("#log .edited")).to_be_visible()


def test_links_can_be_followed_and_are_nothing_else(window, room):
    page = enter(window(), room, "Ada")
    say(page, "See https://example.com/?a=<b>, (http://example.org). javascript:alert(1) https://")
    links = page.get_by_role("log").get_by_role("link")
    expect(links).to_have_text(["https://example.com/?a=", "http://example.org"])
    assert links.first.get_attribute("rel") == "noopener noreferrer nofollow"


def test_others_see_who_is_typing_until_the_message_is_there(window, room):
    ada, grace = enter(window(), room, "Ada"), enter(window(), room, "Grace")
    expect(people(ada)).to_have_text("2 here Ada (you), Grace")
    ada.get_by_label("Message", exact=True).press_sequentially("Hm")
    expect(grace.get_by_text("Ada is typing…")).to_be_visible()
    ada.keyboard.press("Enter")
    expect(message(grace, "Hm")).to_be_visible()
    expect(grace.locator("#typing")).to_have_text("")


def test_what_came_while_one_read_elsewhere_is_counted(window, room):
    ada, grace = enter(window(), room, "Ada"), enter(window(), room, "Grace")
    for number in range(30):
        say(ada, f"Number {number}.")
        expect(message(ada, f"Number {number}.")).to_be_visible()
    expect(message(grace, "Number 29.")).to_be_visible()
    title = grace.title()
    grace.get_by_role("log").evaluate("log => { log.scrollTop = 0 }")
    expect(message(grace, "Number 0.")).to_be_in_viewport()
    for text in ("news", "more news"):
        say(ada, text)
    expect(grace).to_have_title(f"(2) {title}")
    expect(grace.locator('link[rel="icon"]')).to_have_attribute("href", re.compile("unread"))
    expect(grace.locator('.message[data-unread="New"] .text')).to_have_text(["news"])
    grace.get_by_role("button", name="New messages").click()
    expect(grace).to_have_title(title)


def test_a_phone_with_its_keyboard_open_has_room_for_the_log(window, room):
    page = enter(window(**PHONE | {"viewport": {"width": 360, "height": 420}}), room)
    page.evaluate("document.querySelector('#announcement').textContent = 'Four lines. '.repeat(14)")
    assert page.evaluate("document.querySelector('#log').clientHeight / innerHeight") >= 0.6
    say(page, "Hello")
    expect(message(page, "Hello")).to_be_in_viewport()
    page.get_by_role("button", name="How others see you").click()
    page.get_by_label("Name").fill("Ada")
    say(page, "It is me")
    expect(message(page, "It is me")).to_contain_text("Ada")


def test_a_deleted_message_leaves_all_pages_and_never_comes_back(window, room, stack, moderator):
    ada, grace = enter(window(), room, "Ada"), enter(window(), room, "Grace")
    for text in ("Good morning", "Buy my pills", "Nice weather"):
        say(ada, f"{room}: {text}")
        expect(message(grace, text)).to_be_visible()
    moderator.goto("/admin/chat/message/")
    moderator.get_by_role("link", name=f"{room}: Buy my pills").click()
    moderator.get_by_role("link", name="Delete").click()
    confirm(moderator)
    for page in (ada, grace):
        expect(message(page, "Buy my pills")).to_have_count(0)
        expect(page.locator("#news")).to_have_text("A message was removed.")
        expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(2)
    picture(ada, "chat-after-deletion")
    say(grace, "and later")  # what the history has to say has been said by then
    for page in (connected(ada.reload() and ada), enter(window(), room)):
        expect(message(page, "and later")).to_be_visible()
        expect(message(page, "Buy my pills")).to_have_count(0)
    with Visitor(stack, room, since="0") as visitor:
        while (heard := visitor.next()).get("text") != "and later":
            assert "pills" not in heard.get("text", "")


def test_who_was_away_removes_what_was_deleted_meanwhile(window, room, stack, moderator):
    page = enter(window(outage=True), room, "Ada")
    for text in ("one", "two", "three", "four"):
        say(page, f"{room}: {text}")
        expect(message(page, text)).to_be_visible()
    page.context.set_offline(True)
    kill_websocket_gunicorns(stack)
    expect(page.get_by_role("status")).to_contain_text("Connection lost")
    wait_for(lambda: talk(stack, room, "five"))
    rows = [f"{room}: {text}" for text in ("two", "three")]
    choose(moderator, "message", rows, "Delete selected messages")
    confirm(moderator)
    page.context.set_offline(False)
    connected(page)
    expect(message(page, "five")).to_be_visible()
    texts = page.locator("#log .text")
    expect(texts).to_have_text([f"{room}: one", f"{room}: four", "five"])
    expect(page.locator("#news")).to_have_text("2 messages were removed.")


@pytest.mark.parametrize(
    "action", ["Delete all messages in selected rooms", "Delete selected rooms"]
)
def test_an_emptied_room_is_empty_for_everyone(window, room, stack, moderator, action):
    here, away = (enter(window(outage=True), room, name) for name in ("Ada", "Grace"))
    for text in ("one", "two"):
        say(here, text)
        expect(message(away, text)).to_be_visible()
    connected(here.reload() and here)  # what stands there now comes from the database
    away.context.set_offline(True)
    kill_websocket_gunicorns(stack)
    expect(away.get_by_role("status")).to_contain_text("Connection lost")
    choose(moderator, "room", [room], action)
    if action == "Delete selected rooms":
        confirm(moderator)
    away.context.set_offline(False)
    for page in (here, away, connected(here.reload() and here)):
        expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(0)
        expect(page.get_by_text("Nobody has said anything here yet")).to_be_visible()
    say(connected(away), "three")
    expect(message(here, "three")).to_be_visible()
    connected(here.reload() and here)
    expect(here.locator("#log .text")).to_have_text(["three"])


def test_an_edited_message_is_the_new_one_everywhere(window, room, moderator):
    page = enter(window(), room, "Ada")
    for text in ("one", "tow", "three"):
        say(page, f"{room}: {text}")
        expect(message(page, text)).to_be_visible()
    moderator.goto("/admin/chat/message/")
    moderator.get_by_role("link", name=f"{room}: tow").click()
    moderator.get_by_label("Text:").fill(f"{room}: two")
    moderator.get_by_role("button", name="Save", exact=True).click()
    for _ in range(2):
        expect(page.locator("#log .text")).to_have_text(
            [f"{room}: {text}" for text in ("one", "two", "three")]
        )
        connected(page.reload() and page)


def test_a_page_with_a_gap_asks_the_database_what_was_deleted(window, room, stack, moderator):
    page = enter(window(outage=True), room, "Ada")
    for text in ("one", "two", "three"):
        say(page, f"{room}: {text}")
        expect(message(page, text)).to_be_visible()
    page.context.set_offline(True)
    kill_websocket_gunicorns(stack)
    expect(page.get_by_role("status")).to_contain_text("Connection lost")
    choose(moderator, "message", [f"{room}: two"], "Delete selected messages")
    confirm(moderator)
    with contextlib.closing(RedisBroker(broker_of(stack))) as broker:
        for _ in range(250):  # so the channel no longer knows of it
            broker.publish(channel(room), pack({"removed": []}), 10, 600)
    page.context.set_offline(False)
    connected(page)
    expect(page.locator("#log .text")).to_have_text([f"{room}: one", f"{room}: three"])


def test_so_much_is_removed_that_earlier_messages_are_shown(window, room, stack, moderator):
    with Visitor(stack, room) as visitor:
        for number in range(130):
            visitor.send(f"{room}: number {number:03}.")
        for _ in range(130):
            visitor.answer()
    page = enter(window(), room)
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(50)
    moderator.goto(f"/admin/chat/message/?q={room}:")
    moderator.locator("#action-toggle").check()
    moderator.get_by_label("Action:").select_option(label="Delete selected messages")
    moderator.locator("button[name=index]").click()
    confirm(moderator)
    expect(page.locator("#log .text").last).to_have_text(f"{room}: number 029.")
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(30)


def picture(page, name):
    """For a person to look at, where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


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


def test_more_was_missed_than_the_channel_holds(window, room, stack):
    page = enter(window(outage=True, bypass_csp=True), room, "Ada")
    say(page, "long ago")
    expect(message(page, "long ago")).to_be_visible()
    page.context.set_offline(True)
    kill_websocket_gunicorns(stack)
    expect(page.get_by_role("status")).to_contain_text("Connection lost")
    wait_for(lambda: talk(stack, room, "Number 0."))
    with Visitor(stack, room) as visitor:
        for number in range(1, 300):
            visitor.send(f"Number {number}.")
        for _ in range(1, 300):
            visitor.answer()
    page.context.set_offline(False)
    expect(message(page, "Number 299.")).to_be_visible()
    expect(message(page, "long ago")).to_have_count(0)  # the page begins anew behind the gap
    items = page.get_by_role("log").get_by_role("listitem")
    while items.first.locator(".text").inner_text() != "long ago":
        count = items.count()
        page.get_by_role("log").evaluate("log => { log.scrollTop = 1; log.scrollTop = 0 }")
        page.wait_for_function(f"document.querySelectorAll('#log li').length > {count}")
    numbers = page.locator("#log .text").all_inner_texts()
    assert numbers == ["long ago", *(f"Number {number}." for number in range(300))]


@pytest.mark.parametrize(
    ("picture", "room", "scheme"),
    [("chat.png", "lobby", "light"), ("chat-dark.png", "night-shift", "dark")],
)
def test_screenshot(window, tmp_path, picture, room, scheme):
    """The README's pictures. UPDATE_SCREENSHOTS=1 writes them to docs/images/."""
    options = {"viewport": {"width": 900, "height": 560}, "device_scale_factor": 2}
    colours = {"Ada": "#c2410c", "Grace": "#1d4ed8", "Linus": "#15803d"}
    pages = {name: enter(window(color_scheme=scheme, **options), room, name) for name in colours}
    for name, text in (
        ("Ada", "Good morning. Is the new release out?"),
        ("Grace", "Since nine. One instance after the other, and nobody noticed."),
        ("Ada", "The best sort of news: none."),
        ("Linus", "My tab stayed open all the while and caught up by itself."),
    ):
        choose_colour(pages[name], colours[name])
        say(pages[name], text)
        expect(message(pages["Ada"], text)).to_be_visible()
    page = pages["Ada"]
    expect(page.get_by_text("3 here")).to_be_visible()
    folder = ROOT / "docs" / "images" if os.environ.get("UPDATE_SCREENSHOTS") else tmp_path
    page.screenshot(path=folder / picture)


def talk(stack, room, text):
    """Say something in the room, if that is possible already."""
    try:
        with Visitor(stack, room, "Grace") as visitor:
            return visitor.say(text)
    except (OSError, websocket.WebSocketException):
        return None
