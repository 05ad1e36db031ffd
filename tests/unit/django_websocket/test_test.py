"""The test client, used as a project's own tests would."""

import gc
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import TestCase, TransactionTestCase, override_settings
from gevent.monkey import is_module_patched

from django_websocket import InvalidJSON, disconnect_user, publish
from django_websocket.test import WebSocketClient
from support.redis import redis_server
from support.server import ROOT, wait_for
from support.site.values import SEEN, VALUES
from support.site.waiting import released
from support.site.websocket_urls import remembered


@override_settings(
    WEBSOCKET_URLCONF="support.site.websocket_urls",
    ROOT_URLCONF="support.site.urls",
    LOGIN_URL="login",
    TEMPLATES=[],
)
class ClientTest(TestCase):
    def setUp(self):
        self.client = WebSocketClient()

    def test_a_message_for_the_next_page_is_refused_rather_than_lost(self):
        with self.client.connect("/advises/") as socket:
            assert socket.receive() == "refused"

    def test_messages_both_ways(self):
        with self.client.connect("/echo/") as socket:
            assert socket.accepted
            assert socket.status_code == 101
            socket.send("grüße")
            socket.send(b"\x00\xff")
            assert socket.receive() == "grüße"
            assert socket.receive() == b"\x00\xff"
            socket.send_json({"a": [1]})
            assert socket.receive_json() == {"a": [1]}

    def test_json_is_as_under_the_worker(self):
        with self.client.connect("/values/") as socket:
            assert socket.receive_json() == SEEN
            socket.send_json(VALUES)
            assert socket.receive_json() == ["found", SEEN]
            socket.send_json(None)
            assert socket.receive_json() == ["found", None]
            with pytest.raises(TypeError, match=r"found dict: .* use send_json\(\)"):
                socket.send({"a": 1})
            socket.send("{")
            assert socket.receive() is None
            assert (socket.close_code, socket.close_reason) == (1007, "expected JSON")

    def test_a_view_that_sends_no_json_fails_the_test(self):
        with self.client.connect("/echo/") as socket:
            socket.send("{")
            with pytest.raises(InvalidJSON):
                socket.receive_json()

    def test_view_sees_the_test_s_transaction_and_the_other_way_round(self):
        user = User.objects.create_user("ada")
        self.client.force_login(user)
        with self.client.connect("/rename/") as socket:
            assert connection.in_atomic_block
            assert socket.receive() == "ada"
            socket.send("grace")
            assert socket.receive() == "done"
            assert User.objects.get(pk=user.pk).username == "grace"

    @override_settings(MIDDLEWARE=["support.site.world.Tenants"])
    def test_a_view_finds_what_middleware_has_left(self):
        def connect(tenant):
            return self.client.connect("/world/", headers={"X-Tenant": tenant})

        with connect("acme") as one, connect("globex") as other:
            for _ in range(2):
                for socket, tenant in ((one, "acme"), (other, "globex")):
                    assert set(socket.receive_json().values()) == {tenant}
                    socket.send("again")
            assert not hasattr(connection, "tenant")

    def test_rejection_is_an_ordinary_response(self):
        socket = self.client.connect("/private/")
        assert not socket.accepted
        self.assertRedirects(socket.response, "/login/?next=/private/")

    def test_login(self):
        self.client.force_login(User.objects.create_user("ada"))
        with self.client.connect("/private/") as socket:
            assert socket.receive_json()["user"] == "ada"

    def test_unknown_path_and_foreign_origin(self):
        assert self.client.connect("/nowhere/").status_code == 404
        assert self.client.connect("/echo/", origin="https://evil.example").status_code == 403

    def test_own_origin(self):
        with self.client.connect("/echo/", origin="http://testserver") as socket:
            assert socket.accepted

    def test_close_code_and_reason_of_the_view(self):
        socket = self.client.connect("/closes/")
        assert socket.receive() is None
        assert (socket.closed, socket.close_code, socket.close_reason) == (True, 4000, "bye, ☂")

    def test_close_waits_for_the_view_and_tells_it_the_code(self):
        socket = self.client.connect("/remembers/")
        socket.close(4321, "enough")
        assert remembered == [4321, "enough"]

    def test_a_subprotocol_alone_is_no_list_of_them(self):
        with pytest.raises(TypeError, match="subprotocols=a list of names, found 'v1'"):
            self.client.connect("/subprotocols/", subprotocols="v1")

    def test_subprotocol_is_the_view_s_first_that_is_offered(self):
        with self.client.connect("/subprotocols/", subprotocols=["v1", "v2"]) as socket:
            assert socket.subprotocol == "v2"
        with self.client.connect("/subprotocols/", subprotocols=["v", "v22"]) as socket:
            assert socket.subprotocol is None

    def test_exception_of_the_view_is_raised_in_the_test(self):
        socket = self.client.connect("/fails/")
        socket.send("go")
        with pytest.raises(RuntimeError, match="the secret of the view"):
            socket.receive()
        assert socket.close_code == 1011

    def test_exception_of_the_view_as_the_client_sees_it(self):
        self.client.raise_request_exception = False
        socket = self.client.connect("/fails/")
        socket.send("go")
        assert socket.receive() is None
        assert socket.close_code == 1011

    def test_a_closed_socket_says_how_it_was_closed(self):
        socket = self.client.connect("/closes/")
        assert socket.receive() is None
        with pytest.raises(AssertionError, match=r"closed, with 4000 \(bye, ☂\)"):
            socket.send("late")

    def test_and_what_the_view_has_raised(self):
        socket = self.client.connect("/fails/")
        socket.send("go")
        self.client.raise_request_exception = False
        wait_for(lambda: not socket._view.is_alive or socket._next_event(1) is None, "its end")
        with pytest.raises(AssertionError, match="closed, with 1011") as caught:
            socket.send("late")
        assert "the secret of the view" in str(caught.value.__cause__)

    def test_close_instead_of_a_refusal(self):
        socket = self.client.connect("/private-by-code/")
        assert socket.accepted
        assert socket.receive() is None
        assert socket.close_code == 4401

    def test_what_refuses_before_the_view_does_not_close_instead(self):
        refused = self.client.connect("/private-by-code/", origin="https://a.example")
        assert refused.status_code == 403
        with override_settings(MIDDLEWARE=["support.site.guards.refuse"]):
            assert self.client.connect("/private-by-code/").status_code == 403

    def test_middleware_finds_the_route_before_the_view(self):
        """Tracers name their span by it."""
        with override_settings(MIDDLEWARE=["support.site.guards.refuse"]):
            found = self.client.connect("/facts/lobby/7/").response
            assert found.content == b"facts/<slug:room>/<int:number>/"
            assert self.client.connect("/nowhere/").response.content == b"None"

    def test_headers_and_query(self):
        with self.client.connect("/facts/?a=1", headers={"X-Word": "hello"}) as socket:
            found = socket.receive_json()
        assert found["query"] == {"a": "1"}
        assert found["word"] == "hello"

    def test_silence_is_a_timeout(self):
        with self.client.connect("/echo/") as socket:
            started = time.monotonic()
            with pytest.raises(TimeoutError, match=r"nothing for 0\.05 s"):
                socket.receive(timeout=0.05)
            assert time.monotonic() - started < 2
            socket.send("still there")
            assert socket.receive() == "still there"

    def test_using_a_refused_socket_says_so(self):
        with pytest.raises(AssertionError, match="refused with 404"):
            self.client.connect("/nowhere/").send("hello")

    def test_two_sockets_at_once(self):
        with self.client.connect("/echo/") as one, self.client.connect("/echo/") as other:
            one.send("1")
            other.send("2")
            assert (one.receive(), other.receive()) == ("1", "2")

    def test_plain_requests_still_work(self):
        assert isinstance(self.client.get("/login/"), HttpResponse)


@override_settings(
    WEBSOCKET_BROKER="memory://",
    WEBSOCKET_URLCONF="support.site.websocket_urls",
    LOGIN_URL="login",
    ROOT_URLCONF="support.site.urls",
)
class SessionTest(TestCase):
    """Within one transaction, and without a wait in the test."""

    def setUp(self):
        self.user = User.objects.create_user("ada", password="old")
        self.client.force_login(self.user)
        self.sockets = WebSocketClient()
        self.sockets.cookies = self.client.cookies

    def assert_closes(self, change, code, path="/private-echo/"):
        with self.sockets.connect(path) as socket:
            socket.send("here")
            assert socket.receive() == "here"
            change()
            started = time.monotonic()
            assert socket.receive() is None
            assert time.monotonic() - started < 1
            assert socket.close_code == code

    def change_password(self):
        self.user.set_password("new")
        self.user.save()

    def deactivate(self):
        self.user.is_active = False
        self.user.save()

    def test_logout(self):
        self.assert_closes(self.client.logout, 4401)

    def test_change_of_the_password(self):
        self.assert_closes(self.change_password, 4401)

    def test_deactivation(self):
        self.assert_closes(self.deactivate, 4403)

    def test_deletion(self):
        self.assert_closes(self.user.delete, 4403)

    def test_disconnect_user(self):
        self.assert_closes(lambda: disconnect_user(self.user, 4499, "bye"), 4499)

    def test_a_permission_that_the_view_asks_for(self):
        permission = Permission.objects.get(codename="view_user")
        self.user.user_permissions.add(permission)
        self.assert_closes(lambda: self.user.user_permissions.remove(permission), 4403, "/asking/")

    def test_what_is_rolled_back_closes_nothing(self):
        with self.sockets.connect("/private-echo/") as socket:
            with transaction.atomic():
                self.deactivate()
                socket.send("not yet")
                assert socket.receive() == "not yet"
                transaction.set_rollback(True)
            socket.send("still")
            assert socket.receive() == "still"

    def test_what_was_before_does_not_close_who_comes_later(self):
        with self.sockets.connect("/private-echo/") as early:
            disconnect_user(self.user)
            with self.sockets.connect("/private-echo/") as late:
                assert early.receive() is None
                late.send("here")
                assert late.receive() == "here"

    def test_a_view_that_reads_a_channel_ends_as_well(self):
        with self.sockets.connect("/reads-a-channel/") as socket:
            self.client.logout()
            assert socket.receive() is None
            assert socket.close_code == 4401


def threads():
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name in ("django-websocket-view", "django-websocket-engine")]


class WaitingTests:
    """The test goes on when the view waits, and waits itself no longer than it says."""

    def setUp(self):
        self.client = WebSocketClient()
        self.client.force_login(User.objects.create_user("ada"))
        released.clear()

    def tearDown(self):
        assert not threads()

    def test_a_publish_after_connect_is_never_missed(self):
        for _ in range(20):
            with self.client.connect("/subscribed/") as socket:
                publish("news", "new")
                assert socket.receive_json()["data"] == "new"

    def test_nor_by_a_view_that_reads_the_channel(self):
        for _ in range(5):
            with self.client.connect("/reads-a-channel/") as socket:
                publish("news", "new")
                assert socket.receive() == "new"

    def test_select(self):
        with self.client.connect("/selects/") as socket:
            for word in ("one", "two"):
                socket.send(word)
                assert socket.receive() == word

    def test_greenlets_of_the_view(self):
        with self.client.connect("/pumps/") as socket:
            socket.send("one")
            assert socket.receive() == "one"

    def test_a_view_that_sends_by_itself(self):
        with self.client.connect("/ticks/") as socket:
            assert [socket.receive() for _ in range(3)] == ["tick"] * 3

    def test_a_view_that_reads_a_channel_does_not_hold_the_test(self):
        with self.client.connect("/reads-a-channel/") as socket:
            with pytest.raises(TimeoutError, match=r"nothing for 0\.1 s.* reads_a_channel"):
                socket.receive(timeout=0.1)
            publish("news", "late")
            assert socket.receive() == "late"

    def test_a_view_that_waits_for_something_else_does_not_either(self):
        socket = self.client.connect("/waits-outside/")
        with pytest.raises(TimeoutError, match=r"went on for 0\.1 s.*waiting.py:\d+ waits_outside"):
            socket.close(timeout=0.1)
        released.set()
        wait_for(lambda: not threads(), "the view's end")

    def test_an_error_of_the_test_ends_the_view(self):
        with pytest.raises(ZeroDivisionError), self.client.connect("/reads-a-channel/"):
            1 / 0  # noqa: B018

    def test_nothing_is_left_of_a_socket_that_is_not_closed(self):
        socket = self.client.connect("/echo/")
        socket.send("here")
        del socket
        gc.collect()
        wait_for(lambda: not threads(), "the view's end")


@override_settings(WEBSOCKET_BROKER="memory://", WEBSOCKET_URLCONF="support.site.websocket_urls")
class WaitingTest(WaitingTests, TestCase):
    pass


@override_settings(WEBSOCKET_URLCONF="support.site.websocket_urls")
class WaitingOnRedisTest(WaitingTests, TestCase):
    @classmethod
    def setUpClass(cls):
        redis = cls.enterClassContext(redis_server())
        cls.enterClassContext(override_settings(WEBSOCKET_BROKER=redis.url))
        super().setUpClass()


@override_settings(WEBSOCKET_URLCONF="support.site.websocket_urls")
class TransactionTest(TransactionTestCase):
    def test_without_a_surrounding_transaction(self):
        client = WebSocketClient()
        client.force_login(User.objects.create_user("ada"))
        with client.connect("/facts/") as socket:
            assert json.loads(socket.receive())["user"] == "ada"
        assert User.objects.get().username == "ada"


PATCHED = is_module_patched("threading")


@pytest.mark.skipif(not PATCHED, reason="run by the test below, under gevent's patching")
@override_settings(
    WEBSOCKET_BROKER="memory://",
    WEBSOCKET_URLCONF="support.site.websocket_urls",
    ROOT_URLCONF="support.site.urls",
    LOGIN_URL="login",
    TEMPLATES=[],
)
class PatchedTest(TransactionTestCase):
    def test_a_socket_ends_with_its_session(self):
        user = User.objects.create_user("ada")
        for change, code in ((self.client.logout, 4401), (user.delete, 4403)):
            client = WebSocketClient()
            client.force_login(user)
            self.client.cookies = client.cookies
            with client.connect("/private-echo/") as socket:
                socket.send("here")
                assert socket.receive() == "here"
                change()
                assert socket.receive() is None
                assert socket.close_code == code


@pytest.mark.parametrize("tests", ["ClientTest", "PatchedTest"])
def test_client_shares_the_connection_under_gevent_s_patching_too(tests):
    """There, each greenlet has database connections of its own."""
    run = subprocess.run(
        [
            sys.executable, "-m", "gevent.monkey", Path(sys.executable).with_name("pytest"),
            "-q", "-p", "no:randomly", "-p", "no:cacheprovider", f"{__file__}::{tests}",
        ],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


@pytest.mark.django_db
@override_settings(WEBSOCKET_BROKER="memory://", WEBSOCKET_URLCONF="support.events.urls")
def test_a_request_returns_its_reply_and_leaves_the_rest():
    with WebSocketClient().connect("/room/lobby/") as socket:
        publish("room.lobby", "before")
        assert socket.request("echo", {"a": 1}) == {"data": {"a": 1}}
        assert socket.request("nothing")["error"]["code"] == "unknown_event"
        publish("room.lobby", "after")
        assert [socket.receive_json()["data"] for _ in range(2)] == ["before", "after"]
        with pytest.raises(AssertionError, match=r"expected a reply, but .*4000 \(bye\)"):
            socket.request("leave")
