"""Pages of a process of their own, two processes with sockets, and every kind of session."""

import contextlib
import select
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from django_websocket.auth.schedule import GONE
from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.message import pack
from support.browser import Browser, close_code, is_open
from support.redis import redis_server
from support.server import OUR_WORKER, STOCK_WORKER, serve, wait_for
from support.site import prepare

CHANNEL = "django_websocket.auth.sessions"
PATH = "/private-echo/"
CHECKS = 1.0

KINDS = {
    "db": {"SITE_SESSIONS": "db"},
    "db stock": {"SITE_SESSIONS": "db"},
    "cached_db": {"SITE_SESSIONS": "cached_db"},
    "cache": {"SITE_SESSIONS": "cache", "SITE_AUTOCOMMIT": "1"},
    "cookies": {"SITE_SESSIONS": "signed_cookies"},
}

#: Those that differ in whose session a page changes, and how.
MOST = ("db", "cached_db", "cache", "cookies")


def of(*kinds):
    """What depends on something else, or on little."""
    return pytest.mark.parametrize("site", kinds, indirect=True)


class Site:
    def __init__(self, pages, sockets, broker, kind, env):
        self.env = env
        self.pages = pages
        self.sockets = sockets
        self.broker = broker
        self.in_cookies = kind.startswith("cookies")
        self.kind = kind
        self._names = iter(range(40))

    def browser(self, name=None):
        browser = Browser(self.pages)
        if name is not None:
            assert browser.get(f"/login/{name}/") == name
        return browser

    def name(self):
        """A user whom no other test has."""
        return f"user{next(self._names)}"

    def open(self, browser, path=PATH):
        return [browser.open(server, path) for server in self.sockets]

    def publish(self, payload):
        with contextlib.closing(RedisBroker(self.broker.url)) as broker:
            broker.publish(CHANNEL, payload, 100, 60)

    def settle(self):
        """Wait until both processes have done what the pages so far lead to, with its delay."""
        clients = self.open(self.browser("user40"))
        Browser(self.pages).get("/password-of/user40/")
        codes(clients)

    def stays(self, browser, clients):
        """Whether each socket stays open, or comes back when its process has seen to it."""
        self.settle()
        closing, _, _ = select.select([client.sock for client in clients], [], [], 0.1)
        for server, client in zip(self.sockets, clients, strict=True):
            if client.sock in closing:
                assert close_code(client) == 1012
                client = browser.open(server, PATH)
            assert is_open(client)
        return True

    def refuses(self, browser):
        status = 101 if self.kind == "db stock" else 302
        return all(server.handshake(PATH, cookie=browser.cookie).status == status
                   for server in self.sockets)  # fmt: skip


@pytest.fixture(scope="module")
def broker():
    with redis_server() as broker:
        yield broker


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    """The environment of a site that has them, whose database is to be copied."""
    env = {"SITE_DATABASE": f"sqlite:///{tmp_path_factory.mktemp('users') / 'db.sqlite3'}"}
    prepare(env, users=41)
    return env


@pytest.fixture(scope="module", params=MOST)
def site(request, broker, users, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(users["SITE_DATABASE"].removeprefix("sqlite:///"), folder)
    env = (
        users
        | KINDS[request.param]
        | {
            "SITE_DATABASE": f"sqlite:///{folder / 'db.sqlite3'}",
            "SITE_BROKER": broker.url,
            "SITE_CACHE": broker.url,
            "SITE_SESSION_CHECKS": str(CHECKS),
        }
    )
    worker = STOCK_WORKER if "stock" in request.param else OUR_WORKER
    with (
        serve("support.site.wsgi:application", "gthread", folder / "pages", env) as pages,
        serve("support.site.wsgi:websocket", worker, folder / "one", env) as one,
        serve("support.site.wsgi:websocket", worker, folder / "two", env) as two,
    ):
        yield Site(pages, (one, two), broker, request.param, env)
        for server in (one, two):
            assert "Could not check" not in server.log  # with 1013 the sockets would come back


def codes(clients, started=None):
    found = [close_code(client) for client in clients]
    if started is not None:
        assert time.monotonic() - started < 1
    return found


@of(*MOST, "db stock")
def test_ones_own_change_of_the_password_keeps_ones_own_sockets(site):
    name = site.name()
    mine, others = site.browser(name), [site.browser(name) for _ in range(3)]
    stranger = site.browser(site.name())
    clients, unconcerned = site.open(mine), site.open(stranger)
    lost = [client for other in others for client in site.open(other)]
    mine.get("/password/")
    started = time.monotonic()
    expected = 1012 if site.in_cookies else 4401
    assert codes(lost, started) == [expected] * 6
    assert site.stays(mine, clients)
    assert all(site.refuses(other) for other in others)
    assert all(map(is_open, unconcerned))
    again = site.open(mine)
    mine.get("/logout/")
    assert codes(again) == [4401, 4401]


def test_logout_after_a_page_has_written_to_the_session(site):
    name = site.name()
    mine, other = site.browser(name), site.browser(name)
    before, elsewhere = site.open(mine), site.open(other)
    mine.get("/write/")
    after = site.open(mine)
    mine.get("/logout/")
    started = time.monotonic()
    assert codes(after, started) == [4401, 4401]
    assert codes(before, started) == [1012 if site.in_cookies else 4401] * 2
    assert site.refuses(mine)
    assert site.stays(other, elsewhere)


@of(*MOST, "db stock")
def test_another_user_logs_in_in_the_same_browser(site):
    first, second = site.name(), site.name()
    shared, own = site.browser(first), site.browser(first)
    old, elsewhere = site.open(shared), site.open(own)
    unasked = site.open(shared, "/echo/")
    shared.get("/write/")
    written = site.open(shared)
    assert shared.get(f"/login/{second}/") == second
    started = time.monotonic()
    assert codes(written, started) == [4401, 4401]
    assert set(codes(old + unasked, started)) <= {4401, 1012}
    assert site.stays(shared, site.open(shared))
    assert site.stays(own, elsewhere)


def test_an_anonymous_socket_stays_when_its_visitor_logs_in(site):
    browser, other = site.browser(), site.browser(site.name())
    browser.get("/write/")
    clients, gone = site.open(browser, "/echo/"), site.open(other)
    browser.get(f"/login/{site.name()}/")
    site.open(browser)
    if not site.in_cookies:
        other.get("/deleted/")
        assert codes(gone) == [1012, 1012]  # both processes have looked at all sessions
    site.settle()
    assert all(map(is_open, clients))
    browser.get("/logout/")
    assert all(map(is_open, clients))


def test_a_session_whose_key_changes_comes_back(site):
    """As by get_user() while SECRET_KEY_FALLBACKS is in use, or by a page of the project's."""
    browser = site.browser(site.name())
    clients = site.open(browser)
    browser.get("/cycle/")
    if not site.in_cookies:
        assert codes(clients) == [1012, 1012]
        clients = site.open(browser)
    assert site.stays(browser, clients)


@of("db", "db stock", "cached_db", "cache")
@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_session_that_has_gone_without_a_word_is_noticed(site, how):
    name = site.name()
    browser, other = site.browser(name), site.browser(name)
    anonymous = site.browser()
    anonymous.get("/write/")
    clients, kept = site.open(browser), site.open(other)
    kept += site.open(anonymous, "/echo/")
    started = time.monotonic()
    browser.get(f"/{how}/")
    assert codes(clients) == [1012, 1012]
    assert time.monotonic() - started < CHECKS + GONE + 1
    assert site.refuses(browser)
    assert all(map(is_open, kept))


def test_disconnect_user_finds_the_sockets_whose_view_has_not_looked_at_the_user(site):
    name = site.name()
    mine, other = site.browser(name), site.browser(site.name())
    clients, kept = site.open(mine, "/echo/"), site.open(other, "/echo/")
    kept += site.open(site.browser(), "/echo/")
    mine.get(f"/disconnect/{name}/")
    started = time.monotonic()
    assert codes(clients, started) == [4000, 4000]
    assert all(map(is_open, kept))


GARBAGE = [
    b"j{", b"", b"x", b"b\xff", b"j[]", b"jnull", b'j"text"', b"j7", b"j{}",
    pack({"session": 7, "code": 4401}), pack({"user": "1"}), pack({"user": None, "code": 4401}),
    pack({"user": "1", "code": 1006}), pack({"user": "1", "code": 4401, "valid": 7}),
    pack({"user": "1", "code": 4000, "reason": "x" * 130}),
    pack({"change": {"users": 7}}), pack({"change": {"groups": [7]}}), pack({"change": 1}),
    pack({"replaced": "x"}), pack({"of a later version": "x", "code": 4401}),
]  # fmt: skip


def _has_seen(server, garbage):
    return server.log.count("which is no session event") >= garbage


@of("db", "db stock")
def test_what_is_no_event_closes_nothing_and_ends_nothing(site):
    name = site.name()
    browser, other = site.browser(name), site.browser(site.name())
    clients, kept = site.open(browser), site.open(other)
    for payload in GARBAGE:
        site.publish(payload)
    for server in site.sockets:
        wait_for(partial(_has_seen, server, len(GARBAGE)))
    site.settle()
    assert all(map(is_open, kept + clients))
    browser.get("/logout/")
    started = time.monotonic()
    assert codes(clients, started) == [4401, 4401]
    assert all(map(is_open, kept))


@of("cache", "db stock", "cookies")
@pytest.mark.parametrize("how", ["logout", "deactivate", "disconnect", "password-of"])
def test_what_happens_during_the_handshake_is_not_lost(site, how):
    """The view has found its user, and the socket is not open yet."""
    name = site.name()
    browser, admin = site.browser(name), site.browser(site.name())
    known = site.open(browser)
    expected = {"logout": 4401, "deactivate": 4403, "disconnect": 4000}
    code = expected.get(how, 1012 if site.in_cookies else 4401)

    def shake(server):
        return close_code(server.connect("/dawdles/", cookie=browser.cookie))

    with ThreadPoolExecutor() as pool:
        found = pool.map(shake, site.sockets)
        for server in site.sockets:
            server.wait_for_log(f"{name} dawdles")
        browser.get("/logout/") if how == "logout" else admin.get(f"/{how}/{name}/")
        assert codes(known) == [code, code]  # both processes know of it
        for server in site.sockets:
            server.connect("/dawdles-no-more/")
        assert list(found) == [code, code]


@of("db", "cookies")
@pytest.mark.parametrize("page", ["password", "password-of"])
def test_a_change_of_the_password_while_the_process_is_cut_off(site, page):
    name = site.name()
    mine, other, admin = site.browser(name), site.browser(name), site.browser(site.name())
    clients, lost = site.open(mine), site.open(other)
    site.broker.cut_off()
    mine.get("/password/") if page == "password" else admin.get(f"/{page}/{name}/")
    with contextlib.closing(RedisBroker(site.broker.hidden_url)) as hidden:
        hidden.publish(CHANNEL, pack({"change": {"users": ["0"]}}), 0, 60)
    site.broker.mend()
    expected = 1012 if site.in_cookies else 4401
    assert codes(lost) == [expected] * 2
    if page == "password":
        assert site.stays(mine, clients)
    else:
        assert codes(clients) == [expected] * 2


@of("db")
def test_a_process_that_begins_without_the_broker(site, tmp_path):
    name, kept = site.name(), site.browser(site.name())
    browser = site.browser(name)
    with redis_server() as broker:
        env = site.env | {"SITE_BROKER": broker.url}
        broker.cut_off()
        with serve("support.site.wsgi:websocket", OUR_WORKER, tmp_path / "log", env) as server:
            client, stays = browser.open(server, PATH), kept.open(server, PATH)
            browser.get("/logout/")  # published where this process does not listen
            broker.mend()
            assert close_code(client) in (1012, 4401)
            assert is_open(stays)
