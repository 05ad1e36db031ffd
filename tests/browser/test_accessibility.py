"""Every page, for every eye, ear and hand: light and dark, phone, screen reader."""

import pytest
from playwright.sync_api import expect

from support.stack import OUR_WORKER, WORKER, needs_our_worker
from support.visitors import Visitor

from .windows import PHONE, log_in_as

PAGES = [
    "/", "/chat/", "/chat/accessibility/", "/echo/", "/ping/", "/ticker/", "/select/", "/bell/",
    "/minutes/", "/accounts/login/",
]  # fmt: skip

#: Every text on the page whose contrast to its background is below WCAG's 4.5.
PALE_TEXTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => channels(colour).slice(0, 3)
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const background = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return [...document.querySelectorAll("body *")]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .filter((e) => e.checkVisibility())
    .map((e) => [e.outerHTML.slice(0, 80), ratio(
      luminance(getComputedStyle(e).color), luminance(background(e)))])
    .filter(([, contrast]) => contrast < 4.5);
}"""

CONTROLS = {"button", "link", "textbox", "checkbox", "ColorWell", "searchbox", "log", "status"}


@pytest.fixture(autouse=True, scope="module")
def _somebody_has_spoken(stack):
    if WORKER != OUR_WORKER:
        return  # a chat needs it
    with Visitor(stack, "accessibility") as visitor:
        visitor.say("https://example.com/" + "a-long-address-" * 20)


@pytest.mark.parametrize("path", PAGES)
def test_readable_in_light_and_dark(window, path):
    page = window()
    page.goto(path)
    for scheme, ground in (("light", "rgb(244, 245, 242)"), ("dark", "rgb(20, 23, 22)")):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_css("background-color", ground)
        assert page.evaluate(PALE_TEXTS) == []


@pytest.mark.parametrize("path", PAGES)
def test_fits_a_phone(window, path):
    page = window(**PHONE)
    page.goto(path)
    for width in (360, 320):
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_long_name_fits_a_phone(window, stack):
    page = window(**PHONE)
    log_in_as(page, stack, "a-member-with-a-name-of.no.less.than@seventy.letters.in.one.word")
    page.goto("/chat/accessibility/")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    expect(page.get_by_role("button", name="Log out")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)


def test_the_chat_is_in_reach_on_a_phone(window):
    page = window(**PHONE)
    page.goto("/chat/accessibility/")
    for control in (page.get_by_role("log"), page.get_by_role("button", name="Send")):
        expect(control).to_be_in_viewport(ratio=1)
    box = page.get_by_role("button", name="Send").bounding_box()
    assert min(box["width"], box["height"]) >= 40


@pytest.mark.parametrize("path", PAGES)
def test_a_screen_reader_finds_its_way(window, path):
    page = window()
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in nodes if node.get("role", {}).get("value") in CONTROLS]
    assert controls
    nameless = [node for node in controls if not _text(node)]
    assert nameless == []


def _text(node):
    """A control's name; for a status, its content is what is read out."""
    if node["role"]["value"] == "status":
        return True
    return node.get("name", {}).get("value")


def test_the_keyboard_can_skip_to_the_content(window):
    page = window()
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


@needs_our_worker
def test_the_people_can_be_opened_by_keyboard_and_fit_a_phone(window):
    page = window(**PHONE)
    page.set_viewport_size({"width": 320, "height": 640})
    for name in ("w" * 32, "Grace"):
        other = window()
        other.add_init_script(f"localStorage.setItem('chat.name', '{name}')")
        other.goto("/chat/crowd/")
    page.goto("/chat/crowd/")
    expect(page.locator("#people summary")).to_contain_text("3 here")
    page.locator("#people summary").focus()
    page.keyboard.press("Enter")
    people = page.get_by_role("list", name="People in this room")
    expect(people.get_by_text("w" * 32)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(PALE_TEXTS) == []
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
    assert page.locator("#news").get_attribute("aria-live") == "polite"


def test_new_messages_are_announced_politely(window):
    page = window()
    page.goto("/chat/accessibility/")
    assert page.get_by_role("log").get_attribute("aria-live") == "polite"
