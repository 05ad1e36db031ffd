"""Which function handles what, and which mistakes are said when it is decorated."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING

import pytest
from django import forms

from django_websocket.events.handlers import Handlers, Mark, marked

if TYPE_CHECKING:
    from decimal import Decimal


class Form(forms.Form):
    text = forms.CharField()


def annotated(request: Decimal, websocket, form: Form, room=None):
    """Its first annotation is known to a type checker only."""


def added(function, name="say", before=2):
    handlers = Handlers(before)
    handlers.add_event(name, function)
    return handlers.events[name]


def test_the_annotation_is_found_though_it_is_a_text():
    assert isinstance(added(annotated).convert({"text": "a"}), Form)


def test_also_of_a_decorated_function():
    @wraps(annotated)
    def wrapper(*args, **kwargs):
        return annotated(*args, **kwargs)

    assert isinstance(added(wrapper).convert({"text": "a"}), Form)


@pytest.mark.parametrize(
    "function",
    [
        lambda request, websocket, data: None,
        lambda request, websocket, data, *args, **kwargs: None,
        lambda *args, **kwargs: None,
        partial(lambda one, request, websocket, data: None, 1),
    ],
)
def test_without_one_it_is_the_object(function):
    assert added(function).convert({"a": 1}) == {"a": 1}


def too_few(request, websocket):
    raise NotImplementedError


def unknown(request, websocket, form: Decimal):
    raise NotImplementedError


def wrong(request, websocket, form: int):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (too_few, r"expected too_few\(request, websocket, payload\), found too few"),
        (unknown, "unknown names a payload that is not there yet: name 'Decimal' is not defined"),
        (wrong, "as the annotation of the payload, found <class 'int'>"),
    ],
)
def test_a_wrong_handler_is_refused_at_once(function, sentence):
    with pytest.raises(TypeError, match=sentence):
        added(function)


def test_a_second_handler_of_an_event_is_refused():
    handlers = Handlers(2)
    handlers.add_event("say", annotated)
    with pytest.raises(ValueError, match="the event 'say' already has a handler"):
        handlers.add_event("say", annotated)


def test_a_second_handler_of_a_channel_is_refused():
    handlers = Handlers(2)
    handlers.add_channel("news", annotated)
    handlers.add_channel("other", annotated)
    with pytest.raises(ValueError, match="the channel 'news' already has a handler"):
        handlers.add_channel("news", annotated)


def test_a_reserved_name_is_refused():
    with pytest.raises(ValueError, match=r"begin with 'ws\.' are reserved"):
        added(annotated, "ws.reply")


class Base:
    def plain(self, data):
        raise NotImplementedError

    def say(self, data: Form):
        raise NotImplementedError

    def news(self, message):
        raise NotImplementedError

    marked(say, Mark(permissions=("a.b",)))
    marked(say, Mark(event="also"))
    marked(news, Mark(channel="news"))


class Derived(Base):
    def say(self, data):
        return "derived"


def test_the_marked_methods_of_a_class():
    handlers = Handlers.of_class(Base)
    assert handlers.events.keys() == {"say", "also"}
    assert handlers.events["say"].permissions == ("a.b",)
    assert handlers.channels == [("news", Base.news)]
    assert isinstance(handlers.events["also"].convert({"text": "a"}), Form)


def test_a_method_that_overrides_one_handles_the_same():
    handlers = Handlers.of_class(Derived)
    assert handlers.events["say"].function is Derived.say
    assert handlers.events["say"].convert({}) == {}
    assert handlers.channels == [("news", Base.news)]


def test_a_method_without_a_payload_is_refused():
    class Wrong:
        def say(self):
            raise NotImplementedError

        marked(say, Mark())

    with pytest.raises(TypeError, match=r"say\(self, payload\), found too few parameters"):
        Handlers.of_class(Wrong)
