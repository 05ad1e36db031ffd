"""An inbox alone: frames from one side, messages on the other. No socket, no greenlet."""

import select

import pytest

from django_websocket.connection.inbox import Inbox
from django_websocket.rfc6455.protocol import Protocol
from support.frames import BINARY, TEXT, close_frame, frame


def new(max_messages=10, max_size=1000):
    protocol = Protocol(10_000, max_messages)
    return Inbox(protocol, max_messages, max_size), protocol


def never():
    return False


def readable(inbox):
    return bool(select.select([inbox.fileno()], [], [], 0)[0])


def test_messages_wait_in_order():
    inbox, _ = new()
    assert not inbox.ready
    inbox.feed(frame(TEXT, "one") + frame(BINARY, b"two")[:4], never)
    inbox.feed(frame(BINARY, b"two")[4:], never)
    assert inbox.ready
    assert inbox.queue == ["one", b"two"]
    assert inbox.messages_received == 2
    assert inbox.size == 6


@pytest.mark.parametrize(("count", "full"), [(2, False), (3, True), (5, True)])
def test_it_is_full_with_as_many_messages_as_were_agreed(count, full):
    inbox, protocol = new(max_messages=3)
    inbox.feed(frame(TEXT, "x") * count, never)
    assert inbox.full is full
    assert len(inbox.queue) == min(count, 3)
    assert protocol.backlog is (count > 3)


def test_it_is_full_with_as_many_bytes_as_were_agreed():
    inbox, protocol = new(max_size=10)
    inbox.feed(frame(BINARY, bytes(6)) * 4, never)
    assert inbox.full
    assert len(inbox.queue) == 2
    assert protocol.backlog


def test_a_whole_text_takes_the_short_way_only_into_an_empty_inbox():
    inbox, _ = new()
    assert inbox.read_whole(frame(TEXT, "first"))
    assert inbox.size > 0
    assert not inbox.read_whole(frame(TEXT, "second"))
    assert inbox.queue == ["first"]
    assert inbox.messages_received == 1


def test_what_is_discarded_is_never_queued():
    inbox, _ = new()
    inbox.feed(frame(TEXT, "x"), never)
    inbox.discard()
    inbox.feed(frame(TEXT, "y"), never)
    assert not inbox.read_whole(frame(TEXT, "z"))
    assert inbox.queue == []
    assert inbox.size == 0
    assert inbox.ready, "no further message will come"


def test_the_descriptor_is_readable_exactly_while_it_is_ready():
    inbox, _ = new()
    assert not readable(inbox)
    assert not inbox.read_whole(frame(TEXT, "x")), "the short way does not set the descriptor"
    inbox.feed(frame(TEXT, "x"), never)
    inbox.show_ready()
    assert readable(inbox)
    inbox.queue.clear()
    inbox.show_ready()
    assert not readable(inbox)
    inbox.feed(close_frame(1000), never)
    inbox.show_ready()
    assert readable(inbox), "it has ended"
    inbox.close()
    inbox.close()
