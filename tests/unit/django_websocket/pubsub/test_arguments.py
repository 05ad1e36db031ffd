"""What cannot be used is refused where it enters, in the caller's own words."""

from decimal import Decimal

import pytest
from django.db import transaction

from django_websocket.pubsub import presence, publish, publish_on_commit, subscribe
from django_websocket.pubsub.message import ZERO
from django_websocket.pubsub.process import get_dispatcher
from django_websocket.pubsub.subscriptions import Subscriptions
from support.pair import connection

NAN, INF = float("nan"), float("inf")


@pytest.fixture(autouse=True, params=["memory", "redis"])
def broker(request, settings):
    settings.WEBSOCKET_BROKER = "memory://"
    if request.param == "redis":
        settings.WEBSOCKET_BROKER = request.getfixturevalue("shared_redis").url
    yield
    settings.WEBSOCKET_BROKER = "memory://"


WRONG = [
    ({"history": 1000.0}, TypeError, "history as int, found 1000.0"),
    ({"history": True}, TypeError, "history as int, found True"),
    ({"history": "5"}, TypeError, "history as int, found '5'"),
    ({"history": NAN}, TypeError, "history as int, found nan"),
    ({"history": -1}, ValueError, "history of 0 to .* found -1"),
    ({"history": 2**64}, ValueError, "history of 0 to"),
    ({"ttl": INF}, ValueError, "ttl of more than 0 .* found inf"),
    ({"ttl": -INF}, ValueError, "ttl of more than 0"),
    ({"ttl": NAN}, ValueError, "ttl of more than 0"),
    ({"ttl": 0}, ValueError, "ttl of more than 0"),
    ({"ttl": 1e300}, ValueError, "ttl of more than 0"),
    ({"ttl": 10**40}, ValueError, "ttl of more than 0"),
    ({"ttl": "60"}, TypeError, "ttl in seconds as int or float, found '60'"),
    ({"ttl": True}, TypeError, "ttl in seconds"),
    ({"ttl": Decimal(60)}, TypeError, "ttl in seconds"),
]


@pytest.mark.parametrize(("options", "kind", "problem"), WRONG)
@pytest.mark.django_db(transaction=True)
def test_what_publish_cannot_use(options, kind, problem):
    """And nobody is told of a gap, and the next message arrives."""
    with subscribe("room") as messages:
        with pytest.raises(kind, match=f"expected a {problem}"):
            publish("room", "x", **options)
        with transaction.atomic(), pytest.raises(kind, match=f"expected a {problem}"):
            publish_on_commit("room", "x", **options)
        publish("room", "next")
        assert messages.receive(10).data == "next"


@pytest.mark.parametrize("ttl", [1e-9, 0.5, 1, 3e9])
def test_any_time_that_makes_sense(ttl):
    assert publish("room", "x", ttl=ttl) > ZERO


@pytest.mark.parametrize("call", [publish, publish_on_commit])
def test_a_lone_surrogate_is_no_name(call):
    with pytest.raises(ValueError, match="lone surrogates, found 'room"):
        call("room\ud83d", "x")


def test_a_lone_surrogate_is_nowhere_a_name():
    for refused in (presence, lambda name: subscribe(name).__enter__()):
        for name in ("room\ud83d", "{room\udc00}:presence"):
            with pytest.raises(ValueError, match="lone surrogates"):
                refused(name)
    assert get_dispatcher()._channels == {}


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({"since": 5}, TypeError, "since as str or None, found 5"),
        ({"since": b"0"}, TypeError, "since as str"),
        ({"timeout": "5"}, TypeError, "timeout in seconds or None, found '5'"),
        ({"timeout": -1}, ValueError, "timeout of 0 or more"),
        ({"timeout": NAN}, ValueError, "timeout of 0 or more"),
        ({"timeout": INF}, ValueError, "timeout of 0 or more"),
    ],
)
def test_what_a_reader_cannot_use(options, kind, problem):
    with pytest.raises(kind, match=f"expected (a )?{problem}"), subscribe("room", **options):
        pass


class Unhashable:
    __hash__ = None

    def __call__(self, message):
        return ""


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({"since": 5}, TypeError, "since as str"),
        ({"encode": "json"}, TypeError, "encode as a function of a message, found 'json'"),
        ({"encode": None}, TypeError, "encode as a function"),
        ({"encode": Unhashable()}, TypeError, "encode as a function"),
        ({"policy": "never"}, ValueError, "found 'never'"),
        ({"policy": ""}, ValueError, "found ''"),
        ({"policy": ["latest"]}, ValueError, "found"),
        ({"policy": "latest", "key": "data"}, TypeError, "key as a function"),
        ({"key": len}, ValueError, "a key needs"),
    ],
)
def test_what_a_socket_cannot_use(options, kind, problem):
    with connection() as (websocket, _):
        subscriptions = Subscriptions(websocket, get_dispatcher)
        with pytest.raises(kind, match=problem):
            subscriptions.subscribe("room", **options)
        with pytest.raises(TypeError, match="encode as a function"):
            subscriptions.watch("room", encode=7)
        for name in ("a\ud83d", "two words"):
            for call in (subscriptions.subscribe, subscriptions.enter, subscriptions.watch):
                with pytest.raises(ValueError, match="lone surrogates"):
                    call(name, **({"name": "Ada"} if call == subscriptions.enter else {}))
        with pytest.raises(ValueError, match="lone surrogates"):
            subscriptions.enter("room", "Ada\ud83d")
    assert get_dispatcher()._channels == {}


@pytest.mark.parametrize(
    ("name", "kind"), [(None, TypeError), ([], TypeError), (b"room", TypeError), ("", ValueError)]
)
def test_what_names_no_channel_is_not_left_either(name, kind):
    with connection() as (websocket, _), subscribe("room") as reader:
        subscriptions = Subscriptions(websocket, get_dispatcher)
        for call in (subscriptions.unsubscribe, subscriptions.leave, reader.unsubscribe):
            with pytest.raises(kind, match="expected a channel's name"):
                call(name)


@pytest.mark.parametrize(
    ("timeout", "kind"),
    [
        ("5", TypeError),
        (True, TypeError),
        (NAN, ValueError),
        (INF, ValueError),
        (1e300, ValueError),
    ],
)
def test_for_how_long_nobody_can_wait(timeout, kind):
    with subscribe("room") as reader, pytest.raises(kind, match="expected a timeout"):
        reader.receive(timeout)


def test_time_that_is_over_is_time():
    with subscribe("room") as reader, pytest.raises(TimeoutError):
        reader.receive(-0.001)
