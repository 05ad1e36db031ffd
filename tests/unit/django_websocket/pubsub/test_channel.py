"""A channel alone: who gets which message."""

import logging

from django_websocket.pubsub.channel import Channel, Group
from django_websocket.pubsub.message import CLEARED, Message, make_id, pack


class Listener:
    """Keeps what it gets; those with an equal ``group`` are served together."""

    def __init__(self, group="all", *, broken=False):
        self.group = group
        self.broken = broken
        self.messages = []

    def new_group(self):
        return Kept()

    @property
    def values(self):
        return ["gap" if message.gap else message.data for message in self.messages]


class Kept(Group):
    def add(self, member):
        self.members[member] = None

    def deliver(self, message):
        for member in self.members:
            if member.broken:
                raise RuntimeError("broken")
            member.messages.append(message)


def message(number, payload=b""):
    return Message("room", make_id(0, number), payload or pack(number))


def test_a_member_gets_what_is_published_from_now_on(room):
    room.deliver(message(1))
    ada = Listener()
    assert room.admit(ada, None) == make_id(0, 1)
    room.deliver(message(2))
    room.dismiss(ada)
    room.deliver(message(3))
    assert ada.values == [2]
    assert room.position == make_id(0, 3)


def test_who_is_behind_has_to_read_the_history_first(room):
    room.deliver(message(2))
    assert room.admit(Listener(), make_id(0, 1)) is None


def test_who_has_read_ahead_gets_nothing_twice(room):
    room.deliver(message(1))
    ada = Listener()
    assert room.admit(ada, make_id(0, 3)) == make_id(0, 3)
    for number in (2, 3, 4, 5):
        room.deliver(message(number))
    assert ada.values == [4, 5]


def test_who_has_read_ahead_and_leaves_is_forgotten(room):
    room.deliver(message(1))
    ada = Listener()
    room.admit(ada, make_id(0, 2))
    room.dismiss(ada)
    room.deliver(message(3))
    assert ada.values == []


def test_a_gap_reaches_who_has_read_ahead(room):
    room.deliver(message(1))
    ada = Listener()
    room.admit(ada, make_id(0, 5))
    room.deliver(Message("room", make_id(0, 4), None))
    assert ada.values == ["gap"]


def test_a_group_that_fails_keeps_nothing_from_the_others(room, caplog):
    broken, ada = Listener("broken", broken=True), Listener()
    room.admit(broken, None)
    room.admit(ada, None)
    with caplog.at_level(logging.ERROR):
        room.deliver(message(1))
    assert ada.values == [1]
    assert "did not reach some subscribers" in caplog.text


def test_recent_messages_are_at_hand_until_the_history_is_cleared(room):
    first = message(1)
    room.deliver(first)
    assert room.recent(message(1)) is first
    room.deliver(message(2, CLEARED))
    assert room.recent(message(1)) is not first


def test_only_so_many_and_no_large_messages_stay_at_hand():
    room = Channel("room")
    sent = [message(number) for number in range(1, 102)]
    large = message(102, b"b" + bytes(100_000))
    for each in [*sent, large]:
        room.deliver(each)
    assert room.recent(message(101)) is sent[-1]
    assert room.recent(message(1)) is not sent[0]
    assert room.recent(message(102)) is not large
