"""What one visitor may cost, in the settings and per view, with the test client."""

from django.contrib.auth.models import AnonymousUser, User
from django.test import TestCase, override_settings
from django.urls import path

from django_websocket import EventView, TooManyChannels, websocket, websocket_loop
from django_websocket.metrics import counters
from django_websocket.test import WebSocketClient


@websocket
def joins(request, websocket):
    """Joins, watches and enters what it is sent, and never leaves."""
    for message in websocket:
        verb, _, channel = message.partition(" ")
        if verb == "enter":
            websocket.enter(channel, "ada")
        else:
            getattr(websocket, verb)(channel)
        websocket.send(f"{verb} done")


@websocket(max_channels=1)
def catches(request, websocket):
    websocket.subscribe("a")
    try:
        websocket.subscribe("b")
    except TooManyChannels as error:
        websocket.send(str(error))
        websocket.unsubscribe("a")
        websocket.subscribe("b")
        websocket.send("b instead of a")


@websocket(receive_rate=1, receive_burst=1, receive_policy="disconnect")
def strict(request, websocket):
    for message in websocket:
        websocket.send(message)


@websocket
def echo(request, websocket):
    for message in websocket:
        websocket.send(message)


@websocket(max_sockets_per_user=1, close_instead=True)
def single(request, websocket):
    websocket.receive()


class Single(EventView):
    max_sockets_per_user = 1


class Looped:
    def each(self, request, websocket, message):
        websocket.send(message)

    def as_view(self, request):
        """A socket has an object of its own, as Django's views have."""
        return websocket_loop(Looped().each, max_sockets_per_user=1)(request)


class AlsoSingle(Single):
    """A view of its own, with the same methods."""


def as_header_says(get_response):
    """Middleware: who says a number in a header is the user with this primary key."""

    def middleware(request):
        pk = request.headers.get("X-User")
        request.user = User(pk=int(pk)) if pk else AnonymousUser()
        return get_response(request)

    return middleware


urlpatterns = [
    path("single/", single),
    path("single-class/", Single.as_view()),
    path("also-single-class/", AlsoSingle.as_view()),
    path("looped/", Looped().as_view),
    path("joins/", joins),
    path("catches/", catches),
    path("strict/", strict),
    path("echo/", echo),
]


@override_settings(
    WEBSOCKET_URLCONF=__name__,
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[f"{__name__}.as_header_says"],
    WEBSOCKET_BROKER="memory://",
    WEBSOCKET_MAX_CHANNELS=3,
)
class LimitsTest(TestCase):
    def connect(self, url):
        return WebSocketClient().connect(url)

    def connect_as(self, user, url="/echo/"):
        return WebSocketClient().connect(url, headers={"X-User": str(user)} if user else {})

    def said(self, socket):
        """What comes besides the rosters."""
        while (message := socket.receive()) and message.startswith("{"):
            pass
        return message

    def test_channels_are_counted_together(self):
        before = counters.channels_refused
        with self.connect("/joins/") as socket:
            for command in ("subscribe a", "watch a", "enter a"):
                for _ in range(2):  # the second time is no new channel
                    socket.send(command)
                    assert self.said(socket) == f"{command.split()[0]} done"
            socket.send("subscribe b")
            assert self.said(socket) is None
            assert (socket.close_code, socket.close_reason) == (1008, "too many channels")
        assert counters.channels_refused == before + 1

    def test_presence_counts_as_well(self):
        with self.connect("/joins/") as socket:
            for channel in "abc":
                socket.send(f"enter {channel}")
                assert self.said(socket) == "enter done"
            socket.send("leave a")
            assert self.said(socket) == "leave done"
            socket.send("enter d")
            assert self.said(socket) == "enter done"
            socket.send("enter e")
            assert self.said(socket) is None
            assert socket.close_code == 1008

    def test_a_view_may_have_its_own_number_and_act_on_it(self):
        with self.connect("/catches/") as socket:
            assert "@websocket(max_channels=" in socket.receive()
            assert socket.receive() == "b instead of a"

    def test_a_view_may_have_its_own_rate(self):
        with self.connect("/strict/") as socket:
            for number in range(100):
                socket.send(str(number))
            while socket.receive() is not None:
                pass
            assert (socket.close_code, socket.close_reason) == (1008, "too many messages")
        with self.connect("/echo/") as socket:
            for number in range(100):
                socket.send(str(number))
            assert [socket.receive() for _ in range(100)] == [str(each) for each in range(100)]

    @override_settings(WEBSOCKET_RECEIVE_RATE=1, WEBSOCKET_RECEIVE_POLICY="disconnect")
    def test_a_rate_for_all_views(self):
        with self.connect("/echo/") as socket:
            for number in range(100):
                socket.send(str(number))
            while socket.receive() is not None:
                pass
            assert socket.close_code == 1008

    @override_settings(WEBSOCKET_MAX_SOCKETS_PER_USER=2)
    def test_a_user_has_so_many_sockets(self):
        before = counters.sockets_refused_to_user
        with self.connect_as(1), self.connect_as(1, "/joins/") as second:
            refused = self.connect_as(1)
            assert (refused.accepted, refused.status_code) == (False, 429)
            assert refused.response.headers["Retry-After"] == "5"
            assert counters.sockets_refused_to_user == before + 1
            for other in (2, None, None, None):
                with self.connect_as(other) as socket:
                    assert socket.accepted
            second.close()
            with self.connect_as(1) as third:
                assert third.accepted

    def test_a_view_counts_its_own(self):
        with self.connect_as(7), self.connect_as(7, "/single/") as socket:
            assert socket.accepted
            with self.connect_as(7, "/single/") as second:
                assert second.receive() is None
                assert second.close_code == 4429
        with self.connect_as(7, "/single/") as socket:
            assert socket.accepted

    def test_a_method_of_a_new_object_for_each_socket_is_one_view(self):
        with self.connect_as(8, "/looped/"):
            assert self.connect_as(8, "/looped/").status_code == 429

    def test_all_sockets_of_a_class_are_of_one_view(self):
        with self.connect_as(8, "/single-class/"), self.connect_as(8, "/also-single-class/") as two:
            assert two.accepted
            assert self.connect_as(8, "/single-class/").status_code == 429
            with self.connect_as(9, "/single-class/") as other:
                assert other.accepted
