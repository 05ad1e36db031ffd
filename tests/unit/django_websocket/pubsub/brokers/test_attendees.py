"""What is the same for every broker is in pubsub/suite.py."""

from django_websocket.pubsub.brokers.attendees import Attendees


def test_a_change_is_told_once():
    attendees = Attendees()
    attendees.note("one", {"Ada": 1, "Grace": 2}, 10, None)
    assert attendees.change() == (["Ada", "Grace"], [])
    assert attendees.change() is None


def test_between_two_looks_only_the_difference_counts():
    attendees = Attendees()
    stamp = attendees.note("one", {"Ada": 1}, 10, None)
    attendees.note("one", {"Ada": 0}, 10, stamp)
    assert attendees.change() is None


def test_nothing_is_kept_of_a_room_that_everyone_has_left():
    attendees = Attendees()
    attendees.note("one", {"Ada": 1}, 10, None)
    attendees.change()
    attendees.sweep(11)
    assert attendees  # that Ada has left has not been told yet
    assert attendees.change() == ([], ["Ada"])
    assert not attendees
