"""docs/how-to/add-to-your-project.md, typed as it stands, from the wheel to windows that chat."""

import os
import re
import shutil
import time
import urllib.request
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import expect

from support.distribution import build
from support.ports import free_port
from support.redis import redis_server
from support.server import ROOT, wait_for
from support.walkthrough import Block, Typist, read_blocks

pytestmark = pytest.mark.timeout(600)

SECTIONS = read_blocks(ROOT / "docs/how-to/add-to-your-project.md")
INSTALL, *FILES, RUN, CAPITALS = SECTIONS["Two windows that chat"]
MIGRATE, RUNSERVER = (Block("sh", line) for line in RUN.lines)

VIEW = "mysite/websockets.py"
PATH = "from django.urls import path\n"

#: nginx that root starts has processes of another user, who may not open the test's files.
USER = "user root root;" if os.geteuid() == 0 else ""

#: Seconds from saving a view until open pages have it.
LIVE = 3


def test_it_is_as_short_as_it_says():
    for language in ("python", "html"):
        typed = [line for block in FILES if block.language == language for line in block.lines]
        assert len(typed) <= 12, typed
    assert "wsgi.py" not in "".join(block.text for block in FILES)
    assert RUN.lines == ["python manage.py migrate", "python manage.py runserver"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with ``.venv``, and with ``mysite`` as it is before ``runserver``; the wheel."""
    folder = tmp_path_factory.mktemp("newcomer")
    wheel = build(tmp_path_factory.mktemp("dist"))
    pins = re.findall(r"^([\w.-]+==\S+)", (ROOT / "requirements.txt").read_text(), re.M)
    (folder / "pins.txt").write_text("\n".join(pins))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CONSTRAINT", str(folder / "pins.txt"))
        patch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        shell = Typist(folder, folder / ".venv", {"path/to/checkout": str(wheel)})
        shell.run(INSTALL)
        shell = Typist(folder / "mysite", folder / ".venv", {})
        for block in FILES:
            shell.put(block)
        shell.run(MIGRATE)
        yield folder, wheel


class Site:
    """A project of the test's own, with what has been typed so far, and windows on it."""

    def __init__(self, typist, folder, port, browser):
        self.typist = typist
        self._folder = folder
        self._port = port
        self._browser = browser

    @contextmanager
    def running(self, *commands):
        """Run each command in a terminal of its own, until one may open a page."""
        with ExitStack() as stack:
            for number, command in enumerate(commands):
                log = self._folder / f"{number}.log"
                stack.enter_context(self.typist.running(command, log))
            wait_for(self._answers, "the server to start")
            yield

    def change_nginx_port(self):
        for name in ("listen", "http"):
            file = self.typist.folder / f"nginx/stack/local/{name}.conf"
            file.write_text(file.read_text().replace(":8080", f":{self._port}"))

    def _answers(self):
        try:
            with urllib.request.urlopen(f"http://localhost:{self._port}/chat/") as response:
                return response.status == 200
        except OSError:
            return False

    @contextmanager
    def window(self):
        """A browser of a visitor's own, with the chat in a window."""
        with self._browser.new_context(base_url=f"http://localhost:{self._port}") as context:
            page, errors = context.new_page(), []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto("/chat/")
            yield page
        assert errors == []

    @contextmanager
    def windows(self):
        with self.window() as one, self.window() as other:
            yield connected(one), connected(other)


@pytest.fixture
def site(begun, browser, tmp_path):
    folder, wheel = begun
    port = free_port()
    shutil.copytree(folder / "mysite", tmp_path / "mysite")
    with redis_server(port=free_port()) as redis:
        replace = {
            "path/to/checkout/": f"{ROOT}/",
            "path/to/checkout": str(wheel),
            "manage.py runserver": f"manage.py runserver {port}",
            "localhost:6379": f"localhost:{redis.port}",
            "daemon off;": f"daemon off; {USER}",
        }
        typist = Typist(tmp_path / "mysite", folder / ".venv", replace)
        yield Site(typist, tmp_path, port, browser)


def connected(page):
    expect(page.locator("output")).to_have_text("open")
    return page


def say(page, text):
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def come_back(*pages):
    for page in pages:
        expect(page.locator("output")).not_to_have_text("open")
    for page in pages:
        connected(page)


def chat(one, other):
    """Both say something, and both see it."""
    say(one, "Hello")
    expect(other.locator("pre")).to_have_text("Hello\n")
    say(other, "Hello yourself")
    for page in (one, other):
        expect(page.locator("pre")).to_have_text("Hello\nHello yourself\n")
        connected(page)


def test_two_windows_exchange_messages(site):
    with site.running(RUNSERVER), site.windows() as (one, other):
        chat(one, other)


def test_a_change_of_the_view_is_live_at_once(site):
    """At least once in three times: other tests are busy meanwhile."""
    view = site.typist.folder / VIEW
    original, took = view.read_text(), []
    with site.running(RUNSERVER), site.windows() as (one, other):
        while len(took) < 3 and not (took and took[-1] < LIVE):
            saved = time.monotonic()
            site.typist.change(VIEW, '        publish("chat", message)\n', CAPITALS)
            come_back(one, other)
            took.append(time.monotonic() - saved)
            text = f"hello {len(took)}"
            say(one, text)
            expect(other.locator("pre")).to_contain_text(text.upper())
            view.write_text(original)
            come_back(one, other)
    assert min(took) < LIVE


def test_only_members_enter(site):
    decorators, first = SECTIONS["Who may open the socket"]
    site.typist.change(VIEW, "@websocket\n", decorators)
    site.typist.change(VIEW, PATH, Block("python", first.text + PATH))
    account = "DJANGO_SUPERUSER_PASSWORD=pass python manage.py createsuperuser --noinput"
    site.typist.run(Block("sh", f"{account} --username ada --email ada@example.com"))
    with site.running(RUNSERVER), site.window() as page:
        expect(page.locator("output")).to_have_text("closed")
        page.goto("/admin/")
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill("pass")
        page.get_by_role("button", name="Log in").click()
        page.goto("/chat/")
        connected(page)
        another = page.context.new_page()
        another.goto("/admin/")
        another.get_by_role("button", name="Log out").click()
        expect(page.locator("output")).to_have_text("closed")


def test_a_shell_publishes_through_a_broker(site):
    install, setting, publish = SECTIONS["A broker"]
    site.typist.run(install)
    with site.running(RUNSERVER), site.windows() as (one, other):
        site.typist.put(setting)
        come_back(one, other)
        site.typist.run(publish)
        for page in (one, other):
            expect(page.locator("pre")).to_have_text("Hello from a shell\n")


def test_two_gunicorns_behind_nginx(site):
    install, broker, _ = SECTIONS["A broker"]
    wsgi, production, collect, pages, sockets, nginx, _ = SECTIONS["Production"]
    site.typist.run(install)
    for block in (wsgi, broker, production):
        site.typist.put(block)
    site.typist.run(collect)
    site.change_nginx_port()
    with site.running(pages, sockets, nginx), site.windows() as (one, other):
        chat(one, other)
