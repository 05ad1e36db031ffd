from django_websocket.pubsub.brokers.memory import MemoryBroker, Present
from django_websocket.pubsub.brokers.suite import BrokerSuite, EditingSuite, PresenceSuite


class TestMemoryBroker(BrokerSuite, EditingSuite, PresenceSuite):
    shared = False

    def connect(self):
        return MemoryBroker()


def test_a_change_is_published_once():
    present = Present()
    present.note("one", {"Ada": 1, "Grace": 2}, 10, None)
    assert present.change() == (["Ada", "Grace"], [])
    assert present.change() is None


def test_between_two_looks_only_the_difference_counts():
    present = Present()
    stamp = present.note("one", {"Ada": 1}, 10, None)
    present.note("one", {"Ada": 0}, 10, stamp)
    assert present.change() is None


def test_nothing_is_kept_of_a_room_that_everyone_has_left():
    present = Present()
    present.note("one", {"Ada": 1}, 10, None)
    present.change()
    present.sweep(11)
    assert present  # that Ada has left has not been published yet
    assert present.change() == ([], ["Ada"])
    assert not present
